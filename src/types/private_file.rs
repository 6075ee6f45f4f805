//! Private files, for member data and token hashes.

use std::fs::OpenOptions;

/// Returns options that open files for writing, and create missing ones with mode 0600 or less, depending on the umask.
/// An existing file keeps its mode: an operator may have given a group access. On systems other than Unix the
/// permissions of the folder apply.
pub(crate) fn private_file() -> OpenOptions {
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
    fn new_files_are_private_and_existing_files_keep_their_mode() {
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
