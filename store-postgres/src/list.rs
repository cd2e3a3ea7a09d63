//! A filter as SQL: paths and values are bound, the shape alone is text, and
//! that text is of this crate. What a comparison means is the contract's.

use serde_json::Value;
use store::plan::Shelf;
use store::{Condition, Filter, ListQuery, Operator, Page, StoreError};
use tokio_postgres::types::ToSql;

use crate::fault::store_error;
use crate::snapshot::{COLUMNS, Snapshot, stored};
use crate::table::Table;

/// Deeper filters are refused.
const DEPTH: usize = 32;

impl Snapshot {
    pub(crate) async fn list(&self, query: &ListQuery) -> Result<Page, StoreError> {
        let table = Table::of(query.kind)?;
        let limit = usize::try_from(query.limit.clamp(1, 1_000)).unwrap_or(1_000);
        let mut build = Build { table, values: Vec::new() };
        let mut text = format!("SELECT {COLUMNS} FROM \"{}\" WHERE ", table.name);
        match &query.after {
            Some(after) => {
                let after = build.bind(Bound::Text(after.clone()));
                text.push_str(&format!("id > {after}"));
            }
            None => text.push_str("true"),
        }
        if let Some(filter) = &query.filter {
            text.push_str(" AND ");
            text.push_str(&build.filter(filter, 0)?);
        }
        text.push_str(&format!(" ORDER BY id LIMIT {}", limit + 1));
        let values: Vec<&(dyn ToSql + Sync)> = build.values.iter().map(Bound::as_sql).collect();
        // Shapes come from outside, so that they are not kept prepared.
        let rows = self.held.client().query(text.as_str(), &values).await.map_err(|error| store_error(&error))?;
        let mut items = rows.iter().map(|row| stored(table, row)).collect::<Result<Vec<_>, _>>()?;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(|item| item.id.clone()) } else { None };
        Ok(Page { items, next })
    }
}

enum Bound {
    Text(String),
    Path(Vec<String>),
}

impl Bound {
    fn as_sql(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Text(text) => text,
            Self::Path(path) => path,
        }
    }
}

struct Build {
    table: &'static Table,
    values: Vec<Bound>,
}

impl Build {
    fn bind(&mut self, value: Bound) -> String {
        let kind = match value {
            Bound::Text(_) => "text",
            Bound::Path(_) => "text[]",
        };
        self.values.push(value);
        format!("${}::{kind}", self.values.len())
    }

    /// One expression that is true or false, never null, so that `not` is exact.
    fn filter(&mut self, filter: &Filter, depth: usize) -> Result<String, StoreError> {
        if depth > DEPTH {
            return Err(StoreError::Misuse("the filter is nested too deep".to_owned()));
        }
        match filter {
            Filter::Is(condition) => self.condition(condition),
            Filter::And(all) => self.join(all, " AND ", "true", depth),
            Filter::Or(any) => self.join(any, " OR ", "false", depth),
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
        // A record's id is a column, whatever the record calls it.
        if condition.field == self.table.id {
            return Ok(self.text("id", condition));
        }
        if let Some(member) = self.table.text_members.iter().find(|member| **member == condition.field) {
            return Ok(self.text(&format!("body ->> '{member}'"), condition));
        }
        let path = Bound::Path(condition.field.split('.').map(str::to_owned).collect());
        let equal_null = condition.operator == Operator::Equal && condition.value.is_null();
        if condition.operator == Operator::Present || equal_null {
            let (is, path) = (if equal_null { "=" } else { "<>" }, self.bind(path));
            return Ok(format!("(coalesce(jsonb_typeof(body #> {path}), 'null') {is} 'null')"));
        }
        let Some(test) = self.member(condition) else { return Ok("false".to_owned()) };
        let path = self.bind(path);
        Ok(format!(
            "EXISTS (SELECT 1 FROM jsonb_array_elements(CASE jsonb_typeof(body #> {path})
             WHEN 'array' THEN body #> {path} ELSE jsonb_build_array(body #> {path}) END) AS part WHERE {test})"
        ))
    }

    /// A member that holds text or nothing.
    fn text(&mut self, member: &str, condition: &Condition) -> String {
        match (condition.operator, &condition.value) {
            (Operator::Present, _) => format!("({member} IS NOT NULL)"),
            (Operator::Equal, Value::Null) => format!("({member} IS NULL)"),
            (_, Value::String(text)) => {
                let value = self.bind(Bound::Text(text.clone()));
                let test = compare_text(member, condition.operator, &value);
                test.map_or_else(|| "false".to_owned(), |test| format!("({member} IS NOT NULL AND {test})"))
            }
            _ => "false".to_owned(),
        }
    }

    /// Whether one value of the record holds; none for what never does.
    fn member(&mut self, condition: &Condition) -> Option<String> {
        let sign = order(condition.operator);
        match &condition.value {
            Value::String(text) => {
                let value = self.bind(Bound::Text(text.clone()));
                let test = compare_text("part #>> '{}'", condition.operator, &value)?;
                Some(format!("jsonb_typeof(part) = 'string' AND {test}"))
            }
            Value::Number(number) => {
                let (sign, value) = (sign?, self.bind(Bound::Text(number.to_string())));
                // Only what is a number is read as one.
                Some(format!(
                    "CASE jsonb_typeof(part) WHEN 'number' THEN (part #>> '{{}}')::numeric {sign} {value}::numeric
                     ELSE false END"
                ))
            }
            Value::Bool(truth) if condition.operator == Operator::Equal => Some(format!("part = '{truth}'::jsonb")),
            Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

/// Text compares by its octets.
fn compare_text(left: &str, operator: Operator, value: &str) -> Option<String> {
    Some(match operator {
        Operator::Equal => format!("{left} = {value}"),
        Operator::StartsWith => format!("starts_with({left}, {value})"),
        Operator::Contains => format!("strpos({left}, {value}) > 0"),
        other => format!("({left}) COLLATE \"C\" {} {value}", order(other)?),
    })
}

fn order(operator: Operator) -> Option<&'static str> {
    match operator {
        Operator::Equal => Some("="),
        Operator::Greater => Some(">"),
        Operator::GreaterOrEqual => Some(">="),
        Operator::Less => Some("<"),
        Operator::LessOrEqual => Some("<="),
        Operator::NotEqual | Operator::StartsWith | Operator::Contains | Operator::Present => None,
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
