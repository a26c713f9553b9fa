// The demo's own words, Chinese and English.
export const words = (texts) => {
  const at = typeof uni.getLocale === "function" && !/^zh/i.test(uni.getLocale()) ? 1 : 0;
  return Object.fromEntries(Object.entries(texts).map(([name, both]) => [name, both[at]]));
};
