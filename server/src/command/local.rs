//! What the commands of the registry have in common: one way to its REST API as the
//! operator of this machine, how a refusal is told, and how a list looks.

use axum::Router;
use axum::body::Body;
use clap::Args;
use http::{Method, Request, Response};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use url::form_urlencoded;

use super::{Admin, Exit, Failure, Frame, serve};
use crate::data::DataLock;
use crate::listen::Drain;
use crate::port::WallClock;
use crate::wiring;

/// A way to the registry, and the runtime that walks it.
pub(super) struct Local {
    admin: Admin,
    runtime: Runtime,
}

impl Local {
    /// Finds the server that runs, or opens the data folder in this process.
    pub(super) fn open(frame: &Frame) -> Result<Self, Failure> {
        let config = frame.config()?;
        let data = frame.data(&config)?;
        let runtime = serve::runtime()?;
        let start = async |lock: &DataLock| -> Result<Router, Failure> {
            let clock = std::sync::Arc::new(WallClock::new());
            let app = wiring::open_app(&config, &data, lock, &(clock as _)).await?;
            // As long as the command lives; a store of several nodes is followed meanwhile.
            wiring::keep_following(&app, &Drain::new(), None);
            Ok(wiring::doors_of(&app, &data).local)
        };
        let admin = runtime.block_on(Admin::connect(&data, start))?;
        Ok(Self { admin, runtime })
    }

    /// Asks, and reads the answer whole.
    ///
    /// # Errors
    /// [`Exit::Failed`] with the words of a problem; those of [`Admin::json`].
    pub(super) fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let (status, answer) = self.runtime.block_on(self.admin.json(method, path, body))?;
        if status.is_success() { Ok(answer) } else { Err(problem(&answer)) }
    }

    /// Asks, and gives the answer as it comes to somebody who reads it.
    pub(super) fn stream<T>(
        &self,
        request: Request<Body>,
        read: impl AsyncFnOnce(Response<Body>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.runtime.block_on(async { read(self.admin.send(request).await?).await })
    }
}

/// The words of a problem (RFC 9457): its detail, and what is wrong with which member.
pub(super) fn problem(answer: &Value) -> Failure {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let told = text(answer, "detail").or_else(|| text(answer, "title"));
    let mut failure = Failure::new(Exit::Failed, told.unwrap_or_else(|| "the server refused it".to_owned()));
    let errors = answer.get("errors").and_then(Value::as_array).into_iter().flatten();
    failure.causes.extend(errors.map(|error| {
        let (field, detail) = (text(error, "field"), text(error, "detail"));
        format!("{}: {}", field.unwrap_or_default(), detail.unwrap_or_default())
    }));
    failure
}

/// Which part of a list is wanted.
#[derive(Debug, Args)]
pub(super) struct Part {
    /// Only what fits, like: state eq "active"
    #[arg(long, value_name = "FILTER")]
    filter: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on behind the end of another part
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

/// A part of a list: one line each with these columns (JSON pointers), or the page as it came.
pub(super) fn list(frame: &Frame, resource: &str, part: &Part, columns: &[&str]) -> Result<(), Failure> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &part.limit.to_string());
    for (name, value) in [("filter", &part.filter), ("after", &part.after)] {
        query.extend_pairs(value.iter().map(|value| (name, value)));
    }
    let page = Local::open(frame)?.ask(Method::GET, &format!("/{resource}?{}", query.finish()), None)?;
    let items = page.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut lines = table(&items, columns);
    if items.is_empty() {
        lines.push(format!("no {resource}"));
    }
    if let Some(next) = page.get("next").and_then(Value::as_str) {
        lines.push(format!("more by: --after {next}"));
    }
    frame.ui.result(&page, &lines.join("\n"));
    Ok(())
}

/// Lines with aligned columns.
pub(super) fn table(items: &[Value], columns: &[&str]) -> Vec<String> {
    let cells = |item: &Value| columns.iter().map(|column| shown(item.pointer(column))).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = items.iter().map(cells).collect();
    let width = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns.len()).map(|at| width(at).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// A value in words. What others wrote cannot steer a terminal.
fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.chars().map(|sign| if sign.is_control() { '?' } else { sign }).collect(),
        Some(Value::Array(items)) => items.iter().map(|item| shown(Some(item))).collect::<Vec<_>>().join(","),
        Some(value) => value.to_string(),
    }
}

/// One record: as it came, or a line for each of its members.
pub(super) fn tell_record(frame: &Frame, record: &Value) {
    let members = record.as_object().into_iter().flatten();
    let lines = members.filter(|(_, value)| !value.is_null()).map(|(name, value)| {
        let value = if value.is_object() { value.to_string() } else { shown(Some(value)) };
        format!("{name:<24}  {value}")
    });
    frame.ui.result(record, &lines.collect::<Vec<_>>().join("\n"));
}

/// A segment of a path, whatever was typed.
pub(super) fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// The object of members that were given.
pub(super) fn members(given: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Value {
    let given = given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(given.collect())
}

/// A list that was given, unless it is empty.
pub(super) fn several(values: &[String]) -> Option<Value> {
    (!values.is_empty()).then(|| json!(values))
}
