//! The files that a `config.js` names: those beside it, and those in the folder that was given for them. No other is
//! read, whatever the file says.

use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// How large a key file may be, bytes.
const LARGEST: u64 = 1 << 20;

/// Why a file cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It is not there.
    Missing,
    /// It stands elsewhere, where nothing is read.
    Outside,
    /// It is no key file by its size.
    TooLarge,
    /// It cannot be read.
    Unreadable(std::io::ErrorKind),
}

/// Where files may be read.
#[derive(Debug)]
pub(crate) struct Files {
    folder: PathBuf,
    pem_dir: Option<PathBuf>,
}

impl Files {
    /// Files beside a `config.js`, and in a folder for them.
    ///
    /// # Errors
    /// When one of the folders is not there.
    pub(crate) fn new(config_js: &Path, pem_dir: Option<&Path>) -> std::io::Result<Self> {
        let folder = match config_js.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        Ok(Self { folder: canonical(folder)?, pem_dir: pem_dir.map(canonical).transpose()? })
    }

    /// What `__dirname` is: the folder of the `config.js`.
    pub(crate) fn folder(&self) -> String {
        self.folder.to_string_lossy().into_owned()
    }

    /// A path as people know it: from the folder of the `config.js` on, where it is below that.
    pub(crate) fn shown(&self, path: &str) -> String {
        let inner = Path::new(path).strip_prefix(&self.folder).unwrap_or(Path::new(path));
        inner.to_string_lossy().into_owned()
    }

    /// Reads a file by its path, which may be relative to the folder. In the folder for keys it is looked for by the
    /// same path first, then by its name alone.
    ///
    /// # Errors
    /// When it is not there, or not in one of the folders.
    pub(crate) fn read(&self, path: &str) -> Result<Vec<u8>, Trouble> {
        let own = normal(&self.folder.join(path));
        let mut trouble = match own.starts_with(&self.folder) {
            true => Trouble::Missing,
            false => Trouble::Outside,
        };
        let inner = own.strip_prefix(&self.folder).ok();
        let in_pem_dir = self.pem_dir.iter().flat_map(|dir| {
            let same = inner.map(|inner| dir.join(inner));
            let named = own.file_name().map(|name| dir.join(name));
            same.into_iter().chain(named)
        });
        for candidate in in_pem_dir.chain([own.clone()]) {
            match self.read_allowed(&candidate) {
                Ok(bytes) => return Ok(bytes),
                Err(Trouble::Missing) => {}
                Err(other) => trouble = other,
            }
        }
        Err(trouble)
    }

    fn read_allowed(&self, path: &Path) -> Result<Vec<u8>, Trouble> {
        let allowed = |path: &Path| {
            path.starts_with(&self.folder) || self.pem_dir.as_ref().is_some_and(|dir| path.starts_with(dir))
        };
        if !allowed(path) {
            return Err(Trouble::Outside);
        }
        let because = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => Trouble::Missing,
            kind => Trouble::Unreadable(kind),
        };
        // Links are followed before it is decided.
        let path = canonical(path).map_err(because)?;
        if !allowed(&path) {
            return Err(Trouble::Outside);
        }
        // Not a device, which might never end, nor a pipe, which might never begin.
        if !path.metadata().map_err(because)?.is_file() {
            return Err(Trouble::Unreadable(std::io::ErrorKind::InvalidInput));
        }
        let mut bytes = Vec::new();
        let file = std::fs::File::open(&path).map_err(because)?;
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(because)?;
        match u64::try_from(bytes.len()) {
            Ok(size) if size <= LARGEST => Ok(bytes),
            _ => Err(Trouble::TooLarge),
        }
    }
}

/// The path of something that is there, with links followed.
fn canonical(path: &Path) -> std::io::Result<PathBuf> {
    let path = path.canonicalize()?;
    // Windows answers `\\?\C:\folder`, below which a `/` divides nothing.
    let plain = path.to_str().and_then(|text| text.strip_prefix(r"\\?\")).filter(|rest| !rest.starts_with("UNC"));
    Ok(plain.map(PathBuf::from).unwrap_or(path))
}

/// A path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_beside_the_configuration_and_in_the_folder_for_keys_are_read() {
        let root = tempfile::tempdir().expect("a folder");
        let at = |name: &str| root.path().join(name);
        for folder in ["app/wxpay", "keys/alipay"] {
            std::fs::create_dir_all(at(folder)).expect("a folder");
        }
        for (file, text) in [
            ("app/wxpay/own.pem", "own"),
            ("keys/alipay/root.crt", "root"),
            ("keys/flat.pem", "flat"),
            ("else.pem", "no"),
        ] {
            std::fs::write(at(file), text).expect("a file");
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(at("else.pem"), at("app/link.pem")).expect("a link");
        let files = Files::new(&at("app/config.js"), Some(&at("keys"))).expect("folders");
        let read = |path: &str| files.read(path).map(|bytes| String::from_utf8(bytes).expect("a text"));
        assert_eq!(read("wxpay/own.pem").as_deref(), Ok("own"));
        assert_eq!(read("alipay/root.crt").as_deref(), Ok("root"));
        assert_eq!(read("wxpay/flat.pem").as_deref(), Ok("flat"));
        assert_eq!(read(&at("keys/flat.pem").to_string_lossy()).as_deref(), Ok("flat"));
        assert_eq!(read("none.pem"), Err(Trouble::Missing));
        assert_eq!(read("../else.pem"), Err(Trouble::Outside));
        assert_eq!(read("wxpay/../../else.pem"), Err(Trouble::Outside));
        assert_eq!(read(&at("else.pem").to_string_lossy()), Err(Trouble::Outside));
        assert_eq!(read("wxpay"), Err(Trouble::Unreadable(std::io::ErrorKind::InvalidInput)));
        #[cfg(unix)]
        assert_eq!(read("link.pem"), Err(Trouble::Outside));
    }
}
