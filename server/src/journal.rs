//! The journal of raises as files of the data folder, beside the database and not in it
//! (anchors: restore).
//!
//! Owns: segments, their fsync, and which of them a backup no longer needs. Does not own what a
//! line says.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use authority::Entropy;
use store::StoreError;
use store::journal::{Entry, Journal, Line, Noted};

use crate::data::{DataError, make_private_folder};
use crate::port;

/// A segment is closed behind so many bytes.
const SEGMENT: u64 = 64 * 1024 * 1024;
const EXTENSION: &str = "jsonl";

/// The journal of this node.
#[derive(Debug)]
pub struct RaisesJournal {
    folder: PathBuf,
    /// Tells the entries of this process from all others.
    name: String,
    written: Mutex<Written>,
    /// How many appends are known to be durable.
    durable: Mutex<u64>,
}

#[derive(Debug)]
struct Written {
    /// Where lines go; a new one is begun by the first line.
    segment: Option<Segment>,
    /// The number of the next segment.
    next: u64,
    /// Entries named so far.
    entries: u64,
    /// Appends so far.
    appends: u64,
    /// Appends up to here stand in segments that ended. They are durable, or else `lost`.
    ended: u64,
    /// Appends whose segment could not be made durable: after the first number, up to the second.
    lost: Vec<(u64, u64)>,
}

#[derive(Debug)]
struct Segment {
    file: File,
    bytes: u64,
}

impl RaisesJournal {
    /// Opens the folder, or makes it. What is there stays as it is: each process begins a
    /// segment of its own.
    ///
    /// # Errors
    /// [`DataError`]
    pub fn open(folder: &Path, entropy: &dyn Entropy) -> Result<Self, DataError> {
        make_private_folder(folder)?;
        let unusable = |error| DataError::Unusable { path: folder.to_owned(), error };
        let next = segments(folder).map_err(unusable)?.last().map_or(1, |(number, _)| number + 1);
        let name = jose::base64url::encode(port::random::<9>(entropy));
        let written = Mutex::new(Written { segment: None, next, entries: 0, appends: 0, ended: 0, lost: Vec::new() });
        Ok(Self { folder: folder.to_owned(), name, written, durable: Mutex::new(0) })
    }

    /// The segments below a number.
    ///
    /// # Errors
    /// What the system says.
    pub fn below(folder: &Path, number: u64) -> io::Result<Vec<PathBuf>> {
        let old = segments(folder)?.into_iter().filter(|(known, _)| *known < number);
        Ok(old.map(|(_, path)| path).collect())
    }

    /// Writes lines whole or gives the segment up: a torn line is then the last of its file.
    fn write(&self, written: &mut Written, lines: &str) -> io::Result<u64> {
        if written.segment.as_ref().is_none_or(|segment| segment.bytes >= SEGMENT) {
            written.close()?;
            written.segment = Some(self.begin(written)?);
        }
        let Some(segment) = &mut written.segment else { return Err(io::ErrorKind::NotFound.into()) };
        if let Err(error) = segment.file.write_all(lines.as_bytes()) {
            // Others may still wait for what they wrote before; they are told if it is lost.
            let _ = written.close();
            return Err(error);
        }
        segment.bytes += lines.len() as u64;
        written.appends += 1;
        Ok(written.appends)
    }

    fn begin(&self, written: &mut Written) -> io::Result<Segment> {
        let path = self.folder.join(format!("{:06}.{EXTENSION}", written.next));
        let file = OpenOptions::new().create_new(true).append(true).mode(0o600).open(path)?;
        written.next += 1;
        File::open(&self.folder)?.sync_all()?;
        Ok(Segment { file, bytes: 0 })
    }

    /// Waits until an append is durable: who comes first pays for all who wrote by then.
    fn settle(&self, append: u64) -> io::Result<()> {
        let mut durable = lock(&self.durable);
        let (file, upto) = {
            let written = lock(&self.written);
            if written.is_lost(append) {
                return Err(io::ErrorKind::WriteZero.into());
            }
            if append <= written.ended.max(*durable) {
                return Ok(());
            }
            let Some(segment) = &written.segment else { return Err(io::ErrorKind::WriteZero.into()) };
            (segment.file.try_clone()?, written.appends)
        };
        if let Err(error) = file.sync_data() {
            // What the system may have dropped is not made durable by a later success: neither of
            // this file nor of the next.
            lock(&self.written).give_up(*durable);
            return Err(error);
        }
        *durable = upto;
        Ok(())
    }
}

impl Written {
    /// Ends the segment, all of it durable or all that was not yet given up.
    fn close(&mut self) -> io::Result<()> {
        let Some(segment) = &self.segment else { return Ok(()) };
        let synced = segment.file.sync_data();
        match synced {
            Ok(()) => self.end(),
            Err(_) => self.give_up(0),
        }
        synced
    }

    fn end(&mut self) {
        self.segment = None;
        self.ended = self.appends;
    }

    /// Ends the segment; what it took after `durable` was perhaps never written.
    fn give_up(&mut self, durable: u64) {
        let from = durable.max(self.ended);
        if from < self.appends {
            self.lost.push((from, self.appends));
        }
        self.end();
    }

    fn is_lost(&self, append: u64) -> bool {
        self.lost.iter().any(|(from, upto)| *from < append && append <= *upto)
    }
}

impl Journal for RaisesJournal {
    fn append(&self, entries: Vec<Entry>) -> Result<Noted, StoreError> {
        let full = |error: io::Error| StoreError::CannotWrite(format!("the journal of raises: {error}"));
        let mut names = Vec::with_capacity(entries.len());
        let append = {
            let mut written = lock(&self.written);
            let mut lines = String::new();
            for entry in entries {
                written.entries += 1;
                let name = format!("{}-{}", self.name, written.entries);
                lines.push_str(&Line::Entry(name.clone(), entry).render()?);
                lines.push('\n');
                names.push(name);
            }
            self.write(&mut written, &lines).map_err(full)?
        };
        self.settle(append).map_err(full)?;
        Ok(Noted(names))
    }

    fn turn(&self) -> u64 {
        let mut written = lock(&self.written);
        let current = written.next.saturating_sub(1);
        if let Err(error) = written.close() {
            tracing::warn!(%error, "the journal of raises could not be closed");
        }
        current
    }

    fn void(&self, noted: &Noted) {
        let lines: String = noted.0.iter().filter_map(|name| Line::Void(name.clone()).render().ok()).fold(
            String::new(),
            |mut lines, line| {
                lines.push_str(&line);
                lines.push('\n');
                lines
            },
        );
        let written = self.write(&mut lock(&self.written), &lines);
        if let Err(error) = written.and_then(|append| self.settle(append)) {
            tracing::warn!(%error, "raises that failed stand in the journal as if they had been done");
        }
    }
}

/// Nothing panics while these are held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The segments of a folder, in order.
pub(crate) fn segments(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            found.extend(number.map(|number| (number, path)));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::SystemEntropy;

    fn journal(folder: &Path) -> RaisesJournal {
        RaisesJournal::open(folder, &SystemEntropy).unwrap()
    }

    fn entry() -> Entry {
        Entry { generation: "g".to_owned(), at: 1, ..Entry::default() }
    }

    fn lines(folder: &Path) -> Vec<Line> {
        let files = segments(folder).unwrap();
        let texts = files.iter().map(|(_, path)| fs::read_to_string(path).unwrap());
        texts.flat_map(|text| text.lines().map(|line| Line::parse(line).unwrap()).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn what_is_appended_stands_in_the_file_before_the_answer_and_a_failure_voids_it() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("journal");
        let journal = journal(&folder);
        assert!(segments(&folder).unwrap().is_empty(), "nothing ended yet");
        let noted = journal.append(vec![entry(), entry()]).unwrap();
        assert_eq!(lines(&folder).len(), 2);
        journal.void(&Noted(vec![noted.0[1].clone()]));
        assert_eq!(lines(&folder)[2], Line::Void(noted.0[1].clone()));
        let (_, path) = &segments(&folder).unwrap()[0];
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o777, 0o600);
    }

    #[test]
    fn a_start_and_a_backup_begin_segments_and_never_touch_what_is_there() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("journal");
        let first = journal(&folder);
        first.append(vec![entry()]).unwrap();
        // A crash tore the last line.
        let (_, torn) = segments(&folder).unwrap().pop().unwrap();
        fs::OpenOptions::new().append(true).open(&torn).unwrap().write_all(b"{\"entry\":\"x").unwrap();
        let second = journal(&folder);
        let name = second.append(vec![entry()]).unwrap();
        assert_ne!(first.append(vec![entry()]).unwrap(), name, "entries of two processes have names of their own");
        assert_eq!(second.turn(), 2);
        second.append(vec![entry()]).unwrap();
        assert_eq!(segments(&folder).unwrap().len(), 3);
        assert_eq!(RaisesJournal::below(&folder, 2).unwrap(), [torn]);
    }

    #[test]
    fn many_who_append_at_once_all_stand_in_it() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("journal");
        let journal = journal(&folder);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..25).for_each(|_| drop(journal.append(vec![entry()]).unwrap())));
            }
        });
        assert_eq!(lines(&folder).len(), 200);
    }

    #[test]
    fn what_a_failed_sync_left_behind_is_not_called_durable_by_the_next_one() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("journal");
        let journal = journal(&folder);
        let write = || journal.write(&mut lock(&journal.written), "{}\n").unwrap();
        let sound = write();
        journal.settle(sound).unwrap();
        // Two wait for one sync, and the disk refuses it (a device file has none).
        let (first, second) = (write(), write());
        lock(&journal.written).segment.as_mut().unwrap().file = File::open("/dev/null").unwrap();
        journal.settle(first).unwrap_err();
        let later = write();
        journal.settle(later).unwrap();
        journal.settle(second).unwrap_err();
        journal.settle(sound).unwrap();
        // The same where a segment is closed for its size or for a backup.
        let third = write();
        lock(&journal.written).segment.as_mut().unwrap().file = File::open("/dev/null").unwrap();
        journal.turn();
        journal.settle(third).unwrap_err();
        journal.settle(write()).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_written_refuses_and_serves_again_once_it_can() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("journal");
        let journal = journal(&folder);
        fs::remove_dir(&folder).unwrap();
        assert!(matches!(journal.append(vec![entry()]), Err(StoreError::CannotWrite(_))));
        fs::create_dir(&folder).unwrap();
        journal.append(vec![entry()]).unwrap();
        assert_eq!(lines(&folder).len(), 1);
    }
}
