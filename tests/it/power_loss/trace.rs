//! Reads what strace recorded of a server: what it did to the files in the database's folder, and when it sent
//! acknowledgements.
//!
//! strace reports the entry and the exit of a system call apart if another thread's call comes in between, and as one
//! line otherwise. Each gets a tick, in the order of the report. If a call follows from the end of another, of whichever
//! thread, its tick is later: a thread stops at each entry and exit until strace has written it down.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

/// The system calls that are recorded: all that change files, and those that send responses.
pub const CALLS: &str = "trace=open,openat,openat2,creat,write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,sendfile,\
    splice,copy_file_range,fsync,fdatasync,sync,syncfs,sync_file_range,ftruncate,truncate,fallocate,rename,renameat,\
    renameat2,link,linkat,unlink,unlinkat,mmap";

/// Maximum number of bytes per call that are recorded; SQLite writes at most a page at once.
pub const MAX_BYTES: &str = "8192";

/// The end of a call that did not return, because its process was killed.
const NEVER: usize = usize::MAX;

/// A system call.
pub struct Event {
    pub begin: usize,
    pub end: usize,
    pub action: Action,
}

/// The effect of a system call. Files have the names of the database's folder.
#[derive(Debug, PartialEq)]
pub enum Action {
    Create(String),
    Write {
        file: String,
        offset: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        file: String,
        length: usize,
    },
    Sync(String),
    /// Makes creations and removals durable.
    SyncFolder,
    Remove(String),
    /// The start of a response to the request with this trace id; with 0 the output of the first token.
    Acknowledge(u128),
}

pub struct Parser {
    /// The folder of the database.
    folder: PathBuf,
    tick: usize,
    existing: HashSet<String>,
    /// Calls that have begun, by thread.
    running: HashMap<String, (usize, String)>,
    events: Vec<Event>,
}

impl Parser {
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            tick: 0,
            existing: HashSet::new(),
            running: HashMap::new(),
            events: Vec::new(),
        }
    }

    /// Returns the events, ordered by their begin.
    pub fn events(mut self) -> Vec<Event> {
        self.events.sort_by_key(|event| event.begin);
        self.events
    }

    /// Returns a tick after all that was read.
    pub fn now(&self) -> usize {
        self.tick + 1
    }

    /// Reads the report of a process that has ended, whose files are as it left them.
    pub fn read(&mut self, path: &Path) {
        let earlier = self.events.len();
        for line in BufReader::new(File::open(path).unwrap()).lines() {
            self.line(&line.unwrap());
        }
        for (begin, call) in std::mem::take(&mut self.running).into_values() {
            // All that is needed of a call but its result is in its first part.
            self.call(&format!("{call}) = ?"), begin, NEVER);
        }
        self.tick += 1;
        for mut event in self.events.split_off(earlier) {
            if event.end != NEVER || has_happened(&event.action, &self.folder) {
                event.end = event.end.min(self.tick);
                self.events.push(event);
            }
        }
    }

    fn line(&mut self, line: &str) {
        let (thread, call) = line.split_once(' ').unwrap();
        let call = call.trim_start();
        if call.starts_with("+++") || call.starts_with("---") {
            return;
        }
        self.tick += 1;
        if let Some(start) = call.strip_suffix("<unfinished ...>") {
            self.running.insert(thread.to_owned(), (self.tick, start.to_owned()));
        } else if let Some(resumed) = call.strip_prefix("<... ") {
            let (begin, start) = self.running.remove(thread).unwrap_or_else(|| panic!("not begun: {line}"));
            let rest = resumed.split_once(" resumed>").unwrap().1;
            self.call(&(start + rest), begin, self.tick);
        } else {
            // A power loss during the call comes between the ticks.
            let begin = self.tick;
            self.tick += 1;
            self.call(call, begin, self.tick);
        }
    }

    fn call(&mut self, call: &str, begin: usize, end: usize) {
        let (name, arguments) = call.split_once('(').unwrap();
        let (arguments, result) = arguments
            .rsplit_once(") ")
            .map_or((arguments, ""), |(arguments, result)| (arguments, result.trim_start().trim_start_matches("= ")));
        let end = if result.starts_with('?') { NEVER } else { end };
        if result.starts_with('-') {
            return;
        }
        let action = match acknowledged(name, arguments) {
            Some(trace) => Some(Action::Acknowledge(trace)),
            None if call.contains(self.folder.to_str().unwrap()) => self.file_action(name, arguments, result),
            None => None,
        };
        self.events.extend(action.map(|action| Event { begin, end, action }));
    }

    /// Returns the effect of a call that names a file in the folder; panics if it is unknown.
    fn file_action(&mut self, name: &str, arguments: &str, result: &str) -> Option<Action> {
        let path = match name {
            "open" | "openat" | "openat2" | "unlink" => arguments.split('"').nth(1)?,
            "mmap" => arguments.rsplit_once('<')?.1.split('>').next()?,
            _ => arguments.split_once('<')?.1.split('>').next()?,
        };
        let file = path.strip_prefix(self.folder.to_str().unwrap())?.trim_start_matches('/').to_owned();
        // SQLite rebuilds its index of the log, which it maps and never syncs.
        if file.ends_with("-shm") {
            return None;
        }
        match name {
            "open" | "openat" | "openat2" => {
                assert!(!arguments.contains("O_TRUNC"), "{arguments}");
                (arguments.contains("O_CREAT") && self.existing.insert(file.clone())).then_some(Action::Create(file))
            }
            "unlink" => self.existing.remove(&file).then_some(Action::Remove(file)),
            "fsync" | "fdatasync" if file.is_empty() => Some(Action::SyncFolder),
            "fsync" | "fdatasync" => Some(Action::Sync(file)),
            "ftruncate" => Some(Action::Truncate { file, length: last_number(arguments) }),
            "pwrite64" => {
                let (start, end) = (arguments.find('"')? + 1, arguments.rfind('"')?);
                let bytes = unescape(&arguments[start..end]);
                assert!(result.starts_with('?') || result.parse() == Ok(bytes.len()), "{file}: wrote {result} bytes");
                Some(Action::Write { file, offset: last_number(arguments), bytes })
            }
            "mmap" if !arguments.contains("PROT_WRITE") || arguments.contains("MAP_PRIVATE") => None,
            _ => panic!("the recording of {name} is not implemented: {file}"),
        }
    }
}

/// Returns whether a call had an effect, of which it is only known that it began.
fn has_happened(action: &Action, folder: &Path) -> bool {
    let content = |file: &str| std::fs::read(folder.join(file)).unwrap();
    match action {
        Action::Write { file, offset, bytes } => {
            content(file).get(*offset..).is_some_and(|found| found.starts_with(bytes))
        }
        Action::Truncate { file, length } => content(file).len() == *length,
        Action::Create(file) => folder.join(file).exists(),
        Action::Remove(file) => !folder.join(file).exists(),
        Action::Sync(_) | Action::SyncFolder => false,
        // The client may have received it.
        Action::Acknowledge(_) => true,
    }
}

/// Returns the trace id of the request to whose response the call sends the head.
fn acknowledged(name: &str, arguments: &str) -> Option<u128> {
    if !["write", "writev", "sendto", "sendmsg"].contains(&name) {
        return None;
    }
    if arguments.starts_with("1<") && arguments.contains("mbs_") {
        return Some(0);
    }
    let id = arguments.split_once("X-Trace-Id: ")?.1.get(..32)?;
    u128::from_str_radix(id, 16).ok()
}

fn last_number(arguments: &str) -> usize {
    arguments.rsplit(", ").next().unwrap().trim_end().parse().unwrap()
}

/// Returns the bytes of a string in C's notation, of which strace uses octal numbers and letters.
fn unescape(text: &str) -> Vec<u8> {
    let (text, mut bytes, mut index) = (text.as_bytes(), Vec::with_capacity(text.len()), 0);
    while let Some(&byte) = text.get(index) {
        index += 1;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let digits = text[index..].iter().take(3).take_while(|digit| (b'0'..=b'7').contains(digit)).count();
        bytes.push(match text[index] {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'v' => 0x0b,
            b'f' => 0x0c,
            _ if digits > 0 => text[index..index + digits].iter().fold(0, |value, digit| (value << 3) | (digit - b'0')),
            other => other,
        });
        index += digits.max(1);
    }
    bytes
}

#[test]
fn interrupted_calls_and_escaped_bytes_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("a.db");
    let path = folder.path().join("trace");
    let (db, root) = (db.display(), folder.path().display());
    let report = [
        &format!(r#"7 openat(AT_FDCWD</>, "{db}", O_RDWR|O_CREAT, 0600) = 3<{db}>"#),
        &format!(r#"7 pwrite64(3<{db}>, "a\0\0011\377\n\"\\", 8, 4096 <unfinished ...>"#),
        r#"8 write(4<socket:[1]>, "X-Trace-Id: 0000000000000000000000000000002a\r\n", 46) = 46"#,
        "7 <... pwrite64 resumed>)          = 8",
        &format!("7 fsync(3<{db}>) = 0"),
        &format!("7 fsync(4<{root}>) = 0"),
        &format!(r#"7 unlink("{db}-wal") = -1 ENOENT (No such file or directory)"#),
        &format!("7 ftruncate(3<{db}>, 512 <unfinished ...>"),
        "7 +++ killed by SIGKILL +++",
    ];
    std::fs::write(&path, report.map(|line: &str| format!("{line}\n")).concat()).unwrap();
    // The truncation of the killed process has happened.
    std::fs::write(folder.path().join("a.db"), [0; 512]).unwrap();
    let mut parser = Parser::new(folder.path());
    parser.read(&path);
    let events: Vec<_> = parser.events().into_iter().map(|event| (event.begin, event.end, event.action)).collect();
    let file = "a.db".to_owned();
    let expected = [
        (1, 2, Action::Create(file.clone())),
        (3, 6, Action::Write { file: file.clone(), offset: 4096, bytes: b"a\0\x011\xff\n\"\\".to_vec() }),
        (4, 5, Action::Acknowledge(42)),
        (7, 8, Action::Sync(file.clone())),
        (9, 10, Action::SyncFolder),
        (13, 14, Action::Truncate { file, length: 512 }),
    ];
    assert_eq!(events, expected);
}
