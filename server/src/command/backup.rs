//! `keyfob backup`: everything but the master key, into one file.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use axum::body::Body;
use clap::Args;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::json;

use super::local::Local;
use super::{Exit, Failure, Frame};
use crate::backup::JOURNAL_FROM;
use crate::journal::RaisesJournal;

#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// The file to write; it must not be there yet
    to: PathBuf,
}

pub(super) fn run(frame: &Frame, wanted: &Wanted) -> Result<(), Failure> {
    let to = &wanted.to;
    if to.exists() {
        return Err(Failure::new(Exit::Usage, format!("{} is there already; name another file", to.display())));
    }
    let draft = to.with_added_extension("new");
    let fetched = fetch(frame, &draft);
    let finished = fetched.and_then(|from| finish(&draft, to).map(|verified| (from, verified)));
    let (from, verified) = finished.inspect_err(|_| drop(fs::remove_file(&draft)))?;
    let data = frame.data(&frame.config()?)?;
    let not_needed = from.map(|from| RaisesJournal::below(&data.journal(), from)).transpose();
    let not_needed = not_needed.map_err(|error| Failure::new(Exit::Store, error))?.unwrap_or_default();
    let count = |name: &str| verified.counts.get(name).copied().unwrap_or(0);
    let mut text = format!(
        "Everything is in {}: {} devices, {} people, {} bonds, {} events.\n\
         The master key {} is not in it, and without it the backup is\nof no use: keep a copy of {} apart.",
        to.display(),
        count("device"),
        count("user"),
        count("bond"),
        count("event"),
        verified.head.master_key,
        data.master_key_file().display(),
    );
    if let Some(last) = not_needed.last() {
        text.push_str(&format!(
            "\nFrom the journal of raises, {} older files up to {}\nare not needed with this backup and may be removed.",
            not_needed.len(),
            last.display()
        ));
    }
    let told = json!({
        "file": to, "generation": verified.head.generation, "number": verified.head.number,
        "master_key": verified.head.master_key, "counts": verified.counts, "journal_not_needed": not_needed,
    });
    frame.ui.result(&told, &text);
    Ok(())
}

/// Writes the answer to a file as it comes. Where the journal has to begin comes back.
fn fetch(frame: &Frame, draft: &Path) -> Result<Option<u64>, Failure> {
    let unwritable = |error| Failure::new(Exit::Unreachable, format!("{}: {error}", draft.display()));
    let request =
        Request::get("/local/backup").body(Body::empty()).map_err(|error| Failure::new(Exit::Usage, error))?;
    Local::open(frame)?.stream(request, async |answer| {
        let (head, mut body) = answer.into_parts();
        if head.status != StatusCode::OK {
            return Err(Failure::new(Exit::Failed, "the server cannot read its store now; its log says why"));
        }
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(draft);
        let file = file.as_mut().map_err(|error| unwritable(std::io::Error::from(error.kind())))?;
        while let Some(part) = body.frame().await {
            let part = part.map_err(|error| Failure::new(Exit::Failed, format!("the backup broke off: {error}")))?;
            file.write_all(part.data_ref().map_or(&[], |data| data.as_ref())).map_err(unwritable)?;
        }
        file.sync_all().map_err(unwritable)?;
        Ok(head.headers.get(JOURNAL_FROM).and_then(|from| from.to_str().ok()?.parse().ok()))
    })
}

/// Reads it once more, then gives it its name.
fn finish(draft: &Path, to: &Path) -> Result<app::Verified, Failure> {
    let unwritable = |error| Failure::new(Exit::Unreachable, format!("{}: {error}", to.display()));
    let mut file = BufReader::new(File::open(draft).map_err(unwritable)?);
    let verified = app::verify_backup(&mut file).map_err(|error| Failure::new(Exit::Failed, error))?;
    fs::rename(draft, to).map_err(unwritable)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(unwritable)?;
    Ok(verified)
}
