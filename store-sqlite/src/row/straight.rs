//! A record straight into its packed row, without a tree of JSON between: an
//! import makes millions of them.
//!
//! Owns that the row is the one its JSON would have. Does not own the coding of a
//! value; that is `pack`.

use rusqlite::types::Value as Sql;
use serde::ser::{
    Error as _, Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple, Serializer,
};
use serde_json::{Error, Value};

use super::Row;
use crate::pack::{self, Open};
use crate::table::{Column, Table};

/// The row of a record of a packed table.
pub(super) fn row(table: &'static Table, record: &impl Serialize) -> Result<Row, Error> {
    let mut columns = vec![Sql::Null; table.columns.len()];
    let mut packed = Vec::with_capacity(128);
    let apart = Apart { table, columns: &mut columns, within: None };
    record.serialize(Packer { packed: &mut packed, apart: Some(apart) })?;
    if !pack::is_object(&packed) {
        return Err(Error::custom("it is no JSON object"));
    }
    Ok(Row { body: Sql::Blob(packed), columns })
}

/// What of an object is not packed but stands in columns.
struct Apart<'c> {
    table: &'static Table,
    columns: &'c mut Vec<Sql>,
    /// The member of the record this object is; `None` for the record itself.
    within: Option<&'static str>,
}

impl Apart<'_> {
    fn column(&mut self, member: &str) -> Option<(&'static Column, &mut Sql)> {
        let own = |column: &Column| column.within == self.within && column.member == member;
        self.table.columns.iter().zip(&mut *self.columns).find(|(column, _)| own(column))
    }

    fn is_id(&self, member: &str) -> bool {
        self.within.is_none() && member == self.table.id
    }

    /// The same for a member that is an object itself.
    fn inner(&mut self, member: &str) -> Option<Apart<'_>> {
        let outer = self.within.is_none();
        let within = self.table.columns.iter().filter_map(|column| column.within).find(|within| *within == member);
        let within = within.filter(|_| outer)?;
        Some(Apart { table: self.table, columns: self.columns, within: Some(within) })
    }
}

/// Packs one value.
struct Packer<'p, 'c> {
    packed: &'p mut Vec<u8>,
    apart: Option<Apart<'c>>,
}

/// An object or array whose members are being packed.
struct Members<'p, 'c> {
    packed: &'p mut Vec<u8>,
    apart: Option<Apart<'c>>,
    open: Open,
    /// The name of the member that comes next, of a map.
    name: String,
}

impl<'p, 'c> Packer<'p, 'c> {
    fn object(self) -> Members<'p, 'c> {
        let open = Open::object(self.packed);
        Members { packed: self.packed, apart: self.apart, open, name: String::new() }
    }

    fn array(self) -> Members<'p, 'c> {
        let open = Open::array(self.packed);
        Members { packed: self.packed, apart: None, open, name: String::new() }
    }
}

impl Members<'_, '_> {
    fn member(&mut self, name: &str, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        let mut inner = None;
        if let Some(apart) = &mut self.apart {
            if apart.is_id(name) {
                return Ok(());
            }
            // Text alone stands in columns; anything else stays in the body.
            if let Some((column, place)) = apart.column(name)
                && let Value::String(text) = serde_json::to_value(value)?
            {
                *place = if column.packed { pack::name(&text) } else { Sql::Text(text) };
                return Ok(());
            }
            inner = apart.inner(name);
        }
        self.open.one_more();
        pack::string(name, self.packed);
        value.serialize(Packer { packed: self.packed, apart: inner })
    }

    fn item(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        self.open.one_more();
        value.serialize(Packer { packed: self.packed, apart: None })
    }

    fn close(self) -> Result<(), Error> {
        self.open.close(self.packed);
        Ok(())
    }
}

impl SerializeStruct for Members<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.member(key, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

impl SerializeMap for Members<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        let Value::String(name) = serde_json::to_value(key)? else {
            return Err(Error::custom("a name is no text"));
        };
        self.name = name;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let name = core::mem::take(&mut self.name);
        self.member(&name, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

impl SerializeSeq for Members<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.item(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

impl SerializeTuple for Members<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.item(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

/// Kinds of values that no packed record has.
type Never = Impossible<(), Error>;

fn none_such<T>() -> Result<T, Error> {
    Err(Error::custom("it holds a kind of value that has no packed form"))
}

impl<'p, 'c> Serializer for Packer<'p, 'c> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Members<'p, 'c>;
    type SerializeTuple = Members<'p, 'c>;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Members<'p, 'c>;
    type SerializeStruct = Members<'p, 'c>;
    type SerializeStructVariant = Never;

    fn serialize_bool(self, it: bool) -> Result<(), Error> {
        pack::truth(it, self.packed);
        Ok(())
    }

    fn serialize_i8(self, it: i8) -> Result<(), Error> {
        self.serialize_i64(it.into())
    }

    fn serialize_i16(self, it: i16) -> Result<(), Error> {
        self.serialize_i64(it.into())
    }

    fn serialize_i32(self, it: i32) -> Result<(), Error> {
        self.serialize_i64(it.into())
    }

    fn serialize_i64(self, it: i64) -> Result<(), Error> {
        pack::integer(it, self.packed);
        Ok(())
    }

    fn serialize_u8(self, it: u8) -> Result<(), Error> {
        self.serialize_i64(it.into())
    }

    fn serialize_u16(self, it: u16) -> Result<(), Error> {
        self.serialize_i64(it.into())
    }

    fn serialize_u32(self, it: u32) -> Result<(), Error> {
        self.serialize_i64(it.into())
    }

    fn serialize_u64(self, it: u64) -> Result<(), Error> {
        match i64::try_from(it) {
            Ok(it) => pack::integer(it, self.packed),
            Err(_) => pack::unsigned(it, self.packed),
        }
        Ok(())
    }

    fn serialize_f32(self, it: f32) -> Result<(), Error> {
        self.serialize_f64(it.into())
    }

    /// What is no number has no JSON either.
    fn serialize_f64(self, it: f64) -> Result<(), Error> {
        if it.is_finite() {
            pack::float(it, self.packed)
        } else {
            pack::null(self.packed)
        }
        Ok(())
    }

    fn serialize_char(self, it: char) -> Result<(), Error> {
        self.serialize_str(it.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, it: &str) -> Result<(), Error> {
        pack::string(it, self.packed);
        Ok(())
    }

    fn serialize_bytes(self, it: &[u8]) -> Result<(), Error> {
        self.collect_seq(it)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, it: &T) -> Result<(), Error> {
        it.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        pack::null(self.packed);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, it: &T) -> Result<(), Error> {
        it.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Error> {
        none_such()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Members<'p, 'c>, Error> {
        Ok(self.array())
    }

    fn serialize_tuple(self, _: usize) -> Result<Members<'p, 'c>, Error> {
        Ok(self.array())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Never, Error> {
        none_such()
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Never, Error> {
        none_such()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Members<'p, 'c>, Error> {
        Ok(self.object())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members<'p, 'c>, Error> {
        Ok(self.object())
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Never, Error> {
        none_such()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};
    use store::plan::Shelf;

    use super::*;

    fn table(name: &'static str) -> &'static Table {
        Table::of(identity::Kind(name)).unwrap()
    }

    #[test]
    fn a_row_says_what_its_record_says() {
        let digest = "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg";
        let long: Map<String, Value> = (0..300).map(|n| (format!("n{n}"), json!(n))).collect();
        let all = [
            (
                "device",
                json!({
                    "id": "dev_0123456789abcdefghjk", "product": "prd_0123456789abcdefghjk", "serial": "S-1",
                    "external_id": null, "state": "registered", "created_at": -5, "attributes": long, "mac": 7,
                }),
            ),
            (
                "credential",
                json!({
                    "id": "crd_1", "device": "dev_1", "key_thumbprint": digest, "kind": "initial",
                    "jwk": { "kty": "EC", "x": digest, "list": [1, 2.5, u64::MAX, true, null, [], {}], "id": "inner" },
                    "certificate": { "thumbprint": digest, "serial": "0a1b2c3d", "issuer": 4, "not_after": 9 },
                }),
            ),
            ("credential", json!({ "id": "crd_1", "certificate": "no object", "issuer": "of nobody" })),
        ];
        for (name, record) in all {
            let made = row(table(name), &record).unwrap();
            let id = record["id"].as_str().unwrap();
            let whole: Value = serde_json::from_str(&made.whole(table(name), id).unwrap()).unwrap();
            assert_eq!(whole, record);
        }
    }

    #[test]
    fn what_is_looked_up_stands_in_its_column_alone() {
        let record = json!({
            "id": "crd_1", "device": "dev_1", "certificate": { "thumbprint": "t", "serial": "s", "issuer": "i" }
        });
        let made = row(table("credential"), &record).unwrap();
        let text = |text: &str| Sql::Text(text.to_owned());
        assert_eq!(made.columns, [text("dev_1"), Sql::Null, text("t"), text("s"), text("i")]);
        let rest = json!({ "certificate": {} });
        assert_eq!(made.body, Sql::Blob(pack::pack(rest.as_object().unwrap())));
    }

    #[test]
    fn what_is_no_object_is_no_row() {
        assert!(row(table("device"), &json!([1])).is_err());
        assert!(row(table("device"), &json!("dev_1")).is_err());
    }
}
