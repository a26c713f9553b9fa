// Puts a picture given as a data URL into the phone's album: the payer then opens it in the wallet's scanner.
export const canSave = () => typeof uni.saveImageToPhotosAlbum === "function" && typeof uni.getFileSystemManager === "function" && Boolean(uni.env);

export function saveToAlbum(picture, name) {
  const filePath = `${uni.env.USER_DATA_PATH}/${name}.png`;
  return new Promise((done, failed) => {
    uni.getFileSystemManager().writeFile({
      filePath,
      data: picture.slice(picture.indexOf(",") + 1),
      encoding: "base64",
      success: () => uni.saveImageToPhotosAlbum({ filePath, success: done, fail: failed }),
      fail: failed,
    });
  });
}
