//! What one snapshot was asked for more than once.
//!
//! Owns: clients and products, which the questions of one snapshot share. It is
//! dropped with its snapshot, so it is never older than what it stands beside.

use std::cell::RefCell;
use std::sync::Arc;

use identity::{Fact, Product};
use oauth::Client;
use store::StoreError;

use crate::snapshot::Snapshot;

/// Clients and products read within one snapshot; a few of each.
#[derive(Default)]
pub(crate) struct Memo {
    clients: RefCell<Vec<Arc<Fact<Client>>>>,
    products: RefCell<Vec<Fact<Product>>>,
}

type Load<T> = Result<T, StoreError>;

impl Snapshot<'_> {
    pub(crate) fn client(&self, id: &str) -> Load<Option<Arc<Fact<Client>>>> {
        let known = self.memo.clients.borrow().iter().find(|client| client.id.as_str() == id).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let client = self.by_id(id)?.map(Arc::new);
        self.memo.clients.borrow_mut().extend(client.clone());
        Ok(client)
    }

    pub(crate) fn product(&self, id: &str) -> Load<Option<Fact<Product>>> {
        self.remembered(|product| product.id.as_str() == id, || self.by_id(id))
    }

    pub(crate) fn product_by_model(&self, model: &str) -> Load<Option<Fact<Product>>> {
        self.remembered(|product| product.model == model, || self.one("model = ?1", [model]))
    }

    fn remembered(
        &self,
        fits: impl Fn(&Product) -> bool,
        read: impl FnOnce() -> Load<Option<Fact<Product>>>,
    ) -> Load<Option<Fact<Product>>> {
        let known = self.memo.products.borrow().iter().find(|product| fits(product)).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let product = read()?;
        self.memo.products.borrow_mut().extend(product.clone());
        Ok(product)
    }
}
