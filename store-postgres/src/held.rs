//! A connection while it is held. One that was left in the middle of something
//! never goes back to the pool.

use core::pin::pin;

use deadpool_postgres::{ClientWrapper, Object};
use futures_util::poll;
use store::StoreError;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::fault::store_error;

/// Bound values of a statement.
pub(crate) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

pub(crate) struct Held {
    connection: Option<Object>,
}

impl Held {
    pub(crate) fn new(connection: Object) -> Self {
        Self { connection: Some(connection) }
    }

    pub(crate) fn client(&self) -> &ClientWrapper {
        self.connection.as_deref().expect("a connection is there until it is given back")
    }

    /// Sends a statement of ours without waiting for its answer; what is sent
    /// later comes after it. For what cannot fail while the connection stands.
    pub(crate) async fn send(&self, text: &str) {
        let mut sent = pin!(self.client().batch_execute(text));
        // The first look puts it on its way.
        let _ = poll!(&mut sent);
    }

    /// Runs a statement whose text is of this crate; it is prepared once per connection.
    pub(crate) async fn query(&self, text: &str, values: Values<'_>) -> Result<Vec<Row>, tokio_postgres::Error> {
        let statement = self.client().prepare_cached(text).await?;
        self.client().query(&statement, values).await
    }

    /// The one row of a statement that always has one.
    pub(crate) async fn row(&self, text: &str, values: Values<'_>) -> Result<Row, StoreError> {
        let rows = self.query(text, values).await.map_err(|error| store_error(&error))?;
        rows.into_iter().next().ok_or_else(|| StoreError::Corrupt("a row that is always there is missing".to_owned()))
    }

    /// Nothing is under way: it may serve another.
    pub(crate) fn give_back(mut self) {
        drop(self.connection.take());
    }

    /// Whether it is lost.
    pub(crate) fn is_lost(&self) -> bool {
        self.client().is_closed()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(Object::take(connection));
        }
    }
}
