//! Writes every page and mail, filled with sample data, into a folder to look at:
//! `cargo run -p web --example gallery -- FOLDER`.

use std::error::Error;
use std::path::PathBuf;

use web::pages;

mod samples;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("say which folder to write to")?);
    std::fs::create_dir_all(folder.join("assets"))?;
    for asset in pages::Asset::all() {
        std::fs::write(folder.join(asset.path().trim_start_matches('/')), asset.bytes)?;
    }
    for (name, html) in samples::pages()? {
        std::fs::write(folder.join(format!("{name}.html")), html)?;
    }
    for (name, mail) in samples::mails()? {
        std::fs::write(folder.join(format!("mail-{name}.html")), mail.html)?;
        std::fs::write(folder.join(format!("mail-{name}.txt")), format!("Subject: {}\n\n{}", mail.subject, mail.text))?;
    }
    Ok(())
}
