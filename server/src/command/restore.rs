//! `keyfob restore`: a backup, and what ended since, into a place where nothing is yet.

use std::fs::File;
use std::io::{BufReader, Seek};
use std::path::{Path, PathBuf};

use app::{BackupHead, Journals, MasterKey, Restored, Verified};
use clap::{ArgGroup, Args};
use serde_json::json;
use store::Since;
use zeroize::Zeroizing;

use super::{Exit, Failure, Frame, serve};
use crate::data::{DataFolder, read_key, write_key};
use crate::journal::segments;
use crate::port::WallClock;
use crate::wiring;

#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("since").required(true)),
    override_usage = "keyfob restore FROM [--master-key FILE]\n       \
                      --journal FILE... | --suspend | --accept-lost-revocations"
)]
pub(super) struct Wanted {
    /// The backup
    from: PathBuf,
    /// What ended since: every node's journals
    #[arg(long, group = "since", num_args = 1.., value_name = "FILE")]
    journal: Vec<PathBuf>,
    /// They are lost: bonds wait for their owners
    #[arg(long, group = "since")]
    suspend: bool,
    /// They are lost: what ended lives again
    #[arg(long, group = "since")]
    accept_lost_revocations: bool,
    /// The master key, if not in the data folder
    #[arg(long, value_name = "FILE")]
    master_key: Option<PathBuf>,
}

impl Wanted {
    fn since(&self) -> Since {
        match (self.journal.is_empty(), self.suspend) {
            (false, _) => Since::Journals,
            (true, true) => Since::Suspend,
            (true, false) => Since::Accepted,
        }
    }
}

pub(super) fn run(frame: &Frame, wanted: &Wanted) -> Result<(), Failure> {
    let config = frame.config()?;
    let data = frame.data(&config)?;
    let lock = data.lock().map_err(|error| Failure::new(Exit::Store, error))?;
    // All that can be refused is refused before anything is written.
    let (mut backup, verified) = verify(&wanted.from)?;
    let journals = read_journals(&wanted.journal, &verified.head)?;
    let key = master_key(&data, wanted.master_key.as_deref(), &verified.head)?;
    let since = wanted.since();
    let now = authority::Clock::now(&WallClock::new());
    let restored = serve::runtime()?.block_on(wiring::fill_store(&config, &data, async |store| {
        backup.rewind().map_err(|error| Failure::new(Exit::Unreachable, error))?;
        if let Some(key) = &key {
            write_key(&data.master_key_file(), key).map_err(|error| Failure::new(Exit::Store, error))?;
        }
        let filled = app::restore(store, Box::new(backup), &verified.head, since, journals, now).await;
        filled.map_err(|fault| Failure::new(Exit::Store, fault))
    }))?;
    drop(lock);
    tell(frame, since, &verified, &restored);
    Ok(())
}

fn verify(from: &Path) -> Result<(BufReader<File>, Verified), Failure> {
    let unreadable = |error| Failure::new(Exit::Unreachable, format!("{}: {error}", from.display()));
    let mut file = BufReader::new(File::open(from).map_err(unreadable)?);
    let verified = app::verify_backup(&mut file);
    Ok((file, verified.map_err(|error| Failure::new(Exit::Failed, format!("{}: {error}", from.display())))?))
}

fn read_journals(named: &[PathBuf], head: &BackupHead) -> Result<Journals, Failure> {
    let mut journals = Journals::default();
    for path in named {
        let unreadable = |error| Failure::new(Exit::Unreachable, format!("{}: {error}", path.display()));
        let files = match path.is_dir() {
            true => segments(path).map_err(unreadable)?.into_iter().map(|(_, path)| path).collect(),
            false => vec![path.clone()],
        };
        for file in files {
            let mut input = BufReader::new(File::open(&file).map_err(unreadable)?);
            let read = journals.read(&mut input, &head.generation);
            read.map_err(|error| Failure::new(Exit::Failed, format!("{}: {error}", file.display())))?;
        }
    }
    Ok(journals)
}

/// Sees that the key which opens the backup is there; one that has to be put there comes back.
fn master_key(
    data: &DataFolder,
    named: Option<&Path>,
    head: &BackupHead,
) -> Result<Option<Zeroizing<[u8; 32]>>, Failure> {
    let own = data.master_key_file();
    let unusable = |error| Failure::new(Exit::Store, error);
    let kept = read_key(&own).map_err(unusable)?;
    let path = named.unwrap_or(&own);
    let found = match named {
        Some(path) => read_key(path).map_err(unusable)?,
        None => kept.clone(),
    };
    let Some(found) = found else {
        return Err(Failure::new(
            Exit::Store,
            format!(
                "the master key {} is missing, and without it the backup cannot be used: put it into {}, or name its \
                 file with --master-key",
                head.master_key,
                own.display()
            ),
        ));
    };
    let name = MasterKey::new(*found).name().map_err(|fault| Failure::new(Exit::Store, fault))?;
    if name != head.master_key {
        let told =
            format!("the backup is sealed under the master key {}, and {} is {name}", head.master_key, path.display());
        return Err(Failure::new(Exit::Store, told));
    }
    match kept {
        Some(kept) if kept != found => {
            Err(Failure::new(Exit::Store, format!("{} is another key; put it elsewhere first", own.display())))
        }
        Some(_) => Ok(None),
        None => Ok(Some(found)),
    }
}

fn tell(frame: &Frame, since: Since, verified: &Verified, restored: &Restored) {
    let count = |name: &str| verified.counts.get(name).copied().unwrap_or(0);
    let done = &restored.replayed;
    let endings = match since {
        Since::Journals => format!("The journals held {} endings since the backup: they stay ended.", done.raises),
        Since::Suspend => format!("{} bonds wait until their owners confirm them at \"My things\".", done.suspended),
        Since::Accepted => "What ended since the backup lives again, as you accepted.".to_owned(),
    };
    let text = format!(
        "Restored {} devices, {} people, {} bonds.\n{endings}\n\
         Every token of before is dead: devices call home and apps sign in by themselves\n\
         or ask. Type next: keyfob serve, and then keyfob backup, for this one does not\n\
         fit what ends from now on.",
        count("device"),
        count("user"),
        count("bond"),
    );
    let told = json!({
        "generation": restored.head.generation, "number": restored.head.number, "counts": verified.counts,
        "raises": done.raises, "records": done.records, "suspended": done.suspended,
    });
    frame.ui.result(&told, &text);
}
