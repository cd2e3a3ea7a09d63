//! A filter as SQL: fields and values are bound, the shape alone is text, and
//! that text is of this crate. What a comparison means is the contract's.

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::{Type, Value as Sql};
use serde_json::Value;
use store::plan::Shelf;
use store::{Condition, Filter, ListQuery, Operator, Page, StoreError};

use crate::fault::store_error;
use crate::pack;
use crate::row::{members, stored};
use crate::snapshot::Snapshot;
use crate::table::Table;

/// Deeper filters are refused.
const DEPTH: usize = 32;

impl Snapshot<'_> {
    pub(crate) fn list(&self, query: &ListQuery) -> Result<Page, StoreError> {
        let table = Table::of(query.kind)?;
        let limit = usize::try_from(query.limit.clamp(1, 1_000)).unwrap_or(1_000);
        let mut build = Build { table, values: Vec::new() };
        let mut text = format!("SELECT {} FROM {} WHERE ", table.texts().columns, table.name);
        match &query.after {
            Some(after) => {
                let after = build.bind(table.key(after));
                text.push_str(&format!("id > {after}"));
            }
            None => text.push('1'),
        }
        if let Some(filter) = &query.filter {
            text.push_str(" AND ");
            text.push_str(&build.filter(filter, 0)?);
        }
        let bound = build.bind(Sql::Integer(i64::try_from(limit + 1).unwrap_or(i64::MAX)));
        text.push_str(&format!(" ORDER BY id LIMIT {bound}"));
        let mut select = self.db.prepare_cached(&text).map_err(store_error)?;
        let rows = select
            .query_map(rusqlite::params_from_iter(build.values), |row| stored(table, row))
            .map_err(store_error)?;
        let mut items = rows.collect::<Result<Vec<_>, _>>().map_err(store_error)?;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(|item| item.id.clone()) } else { None };
        Ok(Page { items, next })
    }
}

/// The function of SQL that gives the JSON of a packed row.
const RECORD: &str = "keyfob_record";

/// Teaches a connection to read packed rows.
pub(crate) fn teach(db: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    db.create_scalar_function(RECORD, -1, flags, |context| {
        let table = context.get_raw(0).as_str().ok().and_then(Table::named);
        let table = table.ok_or(rusqlite::Error::InvalidFunctionParameterType(0, Type::Text))?;
        let members = members(table, context.get_raw(1), context.get_raw(2), |at| Ok(context.get_raw(3 + at)))?;
        Ok(Value::Object(members).to_string())
    })
}

struct Build {
    table: &'static Table,
    values: Vec<Sql>,
}

impl Build {
    fn bind(&mut self, value: Sql) -> String {
        self.values.push(value);
        format!("?{}", self.values.len())
    }

    /// One expression that is true or false, never null, so that `not` is exact.
    fn filter(&mut self, filter: &Filter, depth: usize) -> Result<String, StoreError> {
        if depth > DEPTH {
            return Err(StoreError::Misuse("the filter is nested too deep".to_owned()));
        }
        match filter {
            Filter::Is(condition) => self.condition(condition),
            Filter::And(all) => self.join(all, " AND ", "1", depth),
            Filter::Or(any) => self.join(any, " OR ", "0", depth),
            Filter::Not(inner) => Ok(format!("(NOT {})", self.filter(inner, depth + 1)?)),
        }
    }

    fn join(&mut self, filters: &[Filter], word: &str, none: &str, depth: usize) -> Result<String, StoreError> {
        let parts: Vec<String> = filters.iter().map(|it| self.filter(it, depth + 1)).collect::<Result<_, _>>()?;
        Ok(if parts.is_empty() { none.to_owned() } else { format!("({})", parts.join(word)) })
    }

    fn condition(&mut self, condition: &Condition) -> Result<String, StoreError> {
        if !is_path(&condition.field) {
            return Err(StoreError::Misuse("a field of a filter is no dotted path of names".to_owned()));
        }
        if condition.operator == Operator::NotEqual {
            let equal = Condition { operator: Operator::Equal, ..condition.clone() };
            return Ok(format!("(NOT {})", self.condition(&equal)?));
        }
        let columns = core::iter::once("id").chain(self.table.text_columns.iter().copied());
        let columns = columns.filter(|_| !self.table.is_packed());
        let own = self.table.columns.iter().filter(|column| !column.packed && column.within.is_none());
        let columns = columns.chain(own.map(|column| column.name));
        if let Some(column) = columns.into_iter().find(|column| *column == self.name(condition)) {
            return Ok(self.column(column, condition));
        }
        if let Some(test) = self.packed_column(condition) {
            return Ok(test);
        }
        let body = self.record();
        let path = self.bind(Sql::Text(format!("$.{}", condition.field)));
        let equal_null = condition.operator == Operator::Equal && condition.value.is_null();
        if condition.operator == Operator::Present || equal_null {
            let is = if equal_null { "=" } else { "<>" };
            return Ok(format!("(ifnull(json_type({body}, {path}), 'null') {is} 'null')"));
        }
        let Some((kind, value)) = typed(&condition.value) else { return Ok("0".to_owned()) };
        let value = self.bind(value);
        let Some(test) = comparison("part.value", condition, &value) else { return Ok("0".to_owned()) };
        Ok(format!(
            "(ifnull(json_type({body}, {path}), '') <> 'object' AND EXISTS \
             (SELECT 1 FROM json_each({body}, {path}) part WHERE {kind} AND {test}))"
        ))
    }

    /// Names kept as bytes can be asked for whole; all else reads the record.
    fn packed_column(&mut self, condition: &Condition) -> Option<String> {
        let (Operator::Equal, Value::String(text)) = (condition.operator, &condition.value) else { return None };
        let named = |column: &&crate::table::Column| column.packed && column.within.is_none();
        let own = self.table.columns.iter().filter(named).map(|column| column.name);
        let id = self.table.is_packed().then_some("id");
        let column = id.into_iter().chain(own).find(|column| *column == self.name(condition))?;
        let value = self.bind(pack::name(text));
        Some(format!("({column} IS NOT NULL AND {column} = {value})"))
    }

    /// The record as JSON.
    fn record(&self) -> String {
        if !self.table.is_packed() {
            return "body".to_owned();
        }
        let name = self.table.name;
        // `json_each` has an `id` too.
        let own: String = self.table.columns.iter().map(|column| format!(", {name}.{}", column.name)).collect();
        format!("{RECORD}('{name}', {name}.id, {name}.body{own})")
    }

    /// A record's id is a column, whatever the record calls it.
    fn name<'c>(&self, condition: &'c Condition) -> &'c str {
        if condition.field == self.table.id { "id" } else { &condition.field }
    }

    /// Columns hold text or nothing.
    fn column(&mut self, column: &str, condition: &Condition) -> String {
        match (condition.operator, &condition.value) {
            (Operator::Present, _) => format!("({column} IS NOT NULL)"),
            (Operator::Equal, Value::Null) => format!("({column} IS NULL)"),
            (_, Value::String(text)) => {
                let value = self.bind(Sql::Text(text.clone()));
                comparison(column, condition, &value)
                    .map_or_else(|| "0".to_owned(), |test| format!("({column} IS NOT NULL AND {test})"))
            }
            _ => "0".to_owned(),
        }
    }
}

fn comparison(left: &str, condition: &Condition, value: &str) -> Option<String> {
    let text = condition.value.is_string();
    let ordered = text || condition.value.is_number();
    let sign = match condition.operator {
        Operator::Equal => "=",
        Operator::StartsWith if text => return Some(format!("(substr({left}, 1, length({value})) = {value})")),
        Operator::Contains if text => return Some(format!("(instr({left}, {value}) > 0)")),
        Operator::Greater if ordered => ">",
        Operator::GreaterOrEqual if ordered => ">=",
        Operator::Less if ordered => "<",
        Operator::LessOrEqual if ordered => "<=",
        _ => return None,
    };
    Some(format!("({left} {sign} {value})"))
}

/// What a member of the record must be to compare with this value, and the value.
fn typed(value: &Value) -> Option<(&'static str, Sql)> {
    const NUMBER: &str = "part.type IN ('integer', 'real')";
    match value {
        Value::String(text) => Some(("part.type = 'text'", Sql::Text(text.clone()))),
        Value::Bool(truth) => Some(("part.type IN ('true', 'false')", Sql::Integer(i64::from(*truth)))),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Some((NUMBER, Sql::Integer(integer))),
            (None, Some(real)) => Some((NUMBER, Sql::Real(real))),
            (None, None) => None,
        },
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `[a-z_][a-z0-9_]*`, dotted.
fn is_path(field: &str) -> bool {
    let part = |part: &str| {
        part.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    field.len() <= 256 && field.split('.').all(part)
}
