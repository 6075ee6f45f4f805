//! Files that hold members or hashes of tokens, and are for their owner alone.

use std::fs::OpenOptions;

/// Returns options that create files with the mode 0600 at most, whatever the umask, and open them for writing. A file
/// that exists keeps its mode: an operator may have opened it to a group on purpose. Elsewhere than on Unix the folder
/// decides who may read a file.
pub fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn a_new_file_is_for_its_owner_and_one_that_exists_keeps_its_mode() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new");
        let mode = || fs::metadata(&path).expect("a file").permissions().mode() & 0o777;
        private_file().open(&path).expect("a file");
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("a mode");
        private_file().open(&path).expect("a file");
        assert_eq!(mode(), 0o640);
    }
}
