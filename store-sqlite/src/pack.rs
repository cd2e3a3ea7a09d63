//! The forms in which rows of which there are millions are kept: names of ours
//! as bytes, and JSON in a coding that knows our words.
//!
//! Owns: one coding per value, and that what was packed comes back as it was.
//! Applied lists are never reordered; new words go to their ends.

use base64ct::{Base64UrlUnpadded, Encoding};
use rusqlite::types::{Value as Sql, ValueRef};
use serde_json::{Map, Number, Value};

/// What ids of ours begin with.
const PREFIXES: [&str; 13] =
    ["dev_", "crd_", "prd_", "u_", "acc_", "ast_", "bnd_", "ca_", "ses_", "ds_", "pk_", "imp_", "fam_"];
/// The alphabet of ids.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// What each byte stands for in it; `NO_SYMBOL` where nothing.
const SYMBOLS: [u8; 256] = symbols();
const NO_SYMBOL: u8 = 0xff;
const ID_CHARACTERS: usize = 20;
/// The code of the prefix, then 100 bits.
const ID_BYTES: usize = 14;
const DIGEST_CHARACTERS: usize = 43;
const DIGEST_BYTES: usize = 32;

/// Members and values that nearly every record has.
const WORDS: [&str; 55] = [
    "created_at",
    "state",
    "registered",
    "enrolled",
    "active",
    "suspended",
    "retired",
    "resumes_to",
    "pending",
    "name",
    "place",
    "attributes",
    "kind",
    "initial",
    "operational",
    "current",
    "revoked",
    "jwk",
    "kty",
    "EC",
    "OKP",
    "RSA",
    "crv",
    "P-256",
    "P-384",
    "Ed25519",
    "x",
    "y",
    "n",
    "e",
    "AQAB",
    "certificate",
    "thumbprint",
    "serial",
    "issuer",
    "not_after",
    "product",
    "product_id",
    "device",
    "device_id",
    "key_thumbprint",
    "mac",
    "external_id",
    "raised",
    "reason",
    "asset_id",
    "bond_id",
    "account_id",
    "user_id",
    "client_id",
    "credential_id",
    "session_id",
    "model",
    "from",
    "to",
];

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
/// Zigzag, seven bits at a time.
const INTEGER: u8 = 3;
/// Beyond an integer's signed 64 bits.
const UNSIGNED: u8 = 4;
const TEXT: u8 = 5;
/// Text that is the base64url of so many bytes.
const BYTES: u8 = 6;
/// Text that is an id of ours.
const ID: u8 = 7;
const ARRAY: u8 = 8;
const OBJECT: u8 = 9;
/// Its eight bytes.
const FLOAT: u8 = 10;
/// From here on: a word.
const WORD: u8 = 64;

/// Deeper values are refused, as JSON's own reader does.
const DEPTH: usize = 128;

/// A name as it stands in a column: an id, a digest or a number in hexadecimal
/// as bytes, the rest as text.
pub(crate) fn name(text: &str) -> Sql {
    if let Some(id) = id_bytes(text) {
        return Sql::Blob(id.to_vec());
    }
    match digest_bytes(text).or_else(|| hex_bytes(text)) {
        Some(bytes) => Sql::Blob(bytes),
        None => Sql::Text(text.to_owned()),
    }
}

/// The name that stands in a column; `None` for what [`name`] never made.
pub(crate) fn name_text(column: ValueRef<'_>) -> Option<String> {
    match column {
        ValueRef::Text(text) => core::str::from_utf8(text).ok().map(str::to_owned),
        ValueRef::Blob(bytes) if bytes.len() == ID_BYTES => id_text(bytes),
        ValueRef::Blob(bytes) if bytes.len() == DIGEST_BYTES => Some(Base64UrlUnpadded::encode_string(bytes)),
        ValueRef::Blob(bytes) => Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        _ => None,
    }
}

/// The bytes of a serial number in hexadecimal, unless they would be taken for
/// something else.
fn hex_bytes(text: &str) -> Option<Vec<u8>> {
    let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let length = text.len() / 2;
    let ours = length == ID_BYTES || length == DIGEST_BYTES;
    if ours || length < 4 || !text.len().is_multiple_of(2) || !text.bytes().all(lower) {
        return None;
    }
    (0..length).map(|at| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()).collect()
}

#[allow(clippy::indexing_slicing, reason = "a table made by the compiler")]
const fn symbols() -> [u8; 256] {
    let mut symbols = [NO_SYMBOL; 256];
    let mut five: u8 = 0;
    while five < 32 {
        symbols[ALPHABET[five as usize] as usize] = five;
        five += 1;
    }
    symbols
}

fn id_bytes(text: &str) -> Option<[u8; ID_BYTES]> {
    let (prefix, rest) = text.split_at_checked(text.len().checked_sub(ID_CHARACTERS)?)?;
    let (code, _) = (0u8..).zip(PREFIXES).find(|(_, known)| *known == prefix)?;
    let mut bits = 0u128;
    for symbol in rest.bytes() {
        let five = SYMBOLS.get(usize::from(symbol)).copied().filter(|five| *five != NO_SYMBOL)?;
        bits = (bits << 5) | u128::from(five);
    }
    let mut bytes = [code; ID_BYTES];
    let number = bits.to_be_bytes();
    bytes.iter_mut().skip(1).zip(number.iter().skip(3)).for_each(|(slot, byte)| *slot = *byte);
    Some(bytes)
}

fn id_text(bytes: &[u8]) -> Option<String> {
    let (code, rest) = bytes.split_first()?;
    let prefix = PREFIXES.get(usize::from(*code))?;
    let bits = rest.iter().fold(0u128, |bits, byte| (bits << 8) | u128::from(*byte));
    let mut text = String::with_capacity(prefix.len() + ID_CHARACTERS);
    text.push_str(prefix);
    for group in (0..ID_CHARACTERS).rev() {
        let five = usize::try_from((bits >> (group * 5)) & 31).ok()?;
        text.push(char::from(*ALPHABET.get(five)?));
    }
    Some(text)
}

fn digest_bytes(text: &str) -> Option<Vec<u8>> {
    if text.len() == DIGEST_CHARACTERS { base64url(text) } else { None }
}

/// The bytes of a text that is their one base64url: bits that are left over are
/// refused by who decodes.
fn base64url(text: &str) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(text).ok()
}

/// An object or array that is being packed: its members are counted as they come.
pub(crate) struct Open {
    /// Where the count stands.
    at: usize,
    count: usize,
}

impl Open {
    pub(crate) fn object(packed: &mut Vec<u8>) -> Self {
        Self::begin(OBJECT, packed)
    }

    pub(crate) fn array(packed: &mut Vec<u8>) -> Self {
        Self::begin(ARRAY, packed)
    }

    fn begin(tag: u8, packed: &mut Vec<u8>) -> Self {
        packed.extend([tag, 0]);
        Self { at: packed.len() - 1, count: 0 }
    }

    pub(crate) fn one_more(&mut self) {
        self.count += 1;
    }

    /// Most have few, whose count takes the one byte that was left for it.
    pub(crate) fn close(self, packed: &mut Vec<u8>) {
        let mut counted = Vec::new();
        match u8::try_from(self.count).ok().filter(|few| *few < 0x80).zip(packed.get_mut(self.at)) {
            Some((few, place)) => *place = few,
            None => {
                length(self.count, &mut counted);
                packed.splice(self.at..=self.at, counted);
            }
        }
    }
}

/// Whether an object was packed.
pub(crate) fn is_object(packed: &[u8]) -> bool {
    packed.first() == Some(&OBJECT)
}

/// Packs an object.
pub(crate) fn pack<'m, N: AsRef<str>>(members: impl IntoIterator<Item = (N, &'m Value)>) -> Vec<u8> {
    let mut packed = Vec::with_capacity(96);
    object(members, &mut packed);
    packed
}

fn object<'m, N: AsRef<str>>(members: impl IntoIterator<Item = (N, &'m Value)>, packed: &mut Vec<u8>) {
    let mut open = Open::object(packed);
    for (name, member) in members {
        open.one_more();
        string(name.as_ref(), packed);
        value(member, packed);
    }
    open.close(packed);
}

fn value(value_: &Value, packed: &mut Vec<u8>) {
    match value_ {
        Value::Null => null(packed),
        Value::Bool(it) => truth(*it, packed),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(it), _) => integer(it, packed),
            (None, Some(it)) => unsigned(it, packed),
            (None, None) => float(number.as_f64().unwrap_or_default(), packed),
        },
        Value::String(text) => string(text, packed),
        Value::Array(items) => {
            let mut open = Open::array(packed);
            for item in items {
                open.one_more();
                value(item, packed);
            }
            open.close(packed);
        }
        Value::Object(members) => object(members, packed),
    }
}

pub(crate) fn null(packed: &mut Vec<u8>) {
    packed.push(NULL);
}

pub(crate) fn truth(it: bool, packed: &mut Vec<u8>) {
    packed.push(if it { TRUE } else { FALSE });
}

pub(crate) fn integer(it: i64, packed: &mut Vec<u8>) {
    packed.push(INTEGER);
    let zigzag = (it << 1) ^ (it >> 63);
    varint(zigzag.cast_unsigned(), packed);
}

/// One that is no signed integer.
pub(crate) fn unsigned(it: u64, packed: &mut Vec<u8>) {
    packed.push(UNSIGNED);
    varint(it, packed);
}

pub(crate) fn float(it: f64, packed: &mut Vec<u8>) {
    packed.push(FLOAT);
    packed.extend(it.to_le_bytes());
}

pub(crate) fn string(text: &str, packed: &mut Vec<u8>) {
    if let Some((code, _)) = (WORD..).zip(WORDS).find(|(_, word)| *word == text) {
        packed.push(code);
    } else if let Some(id) = id_bytes(text) {
        packed.push(ID);
        packed.extend(id);
    } else if text.len() >= 16
        && let Some(bytes) = base64url(text)
    {
        sized(BYTES, &bytes, packed);
    } else {
        sized(TEXT, text.as_bytes(), packed);
    }
}

fn sized(tag: u8, bytes: &[u8], packed: &mut Vec<u8>) {
    packed.push(tag);
    length(bytes.len(), packed);
    packed.extend(bytes);
}

fn length(length: usize, packed: &mut Vec<u8>) {
    varint(length as u64, packed);
}

fn varint(mut number: u64, packed: &mut Vec<u8>) {
    while number >= 0x80 {
        packed.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    packed.push(number.to_le_bytes()[0]);
}

/// Unpacks an object; `None` for what [`pack`] never made.
pub(crate) fn unpack(packed: &[u8]) -> Option<Map<String, Value>> {
    let mut rest = Rest(packed);
    match rest.value(0)? {
        Value::Object(members) if rest.0.is_empty() => Some(members),
        _ => None,
    }
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        self.take(length)
    }

    /// A count of things of at least one byte each.
    fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.varint()?).ok()?;
        (count <= self.0.len()).then_some(count)
    }

    fn string(&mut self, tag: u8) -> Option<String> {
        match tag {
            TEXT => core::str::from_utf8(self.sized()?).ok().map(str::to_owned),
            BYTES => Some(Base64UrlUnpadded::encode_string(self.sized()?)),
            ID => id_text(self.take(ID_BYTES)?),
            _ => WORDS.get(usize::from(tag.checked_sub(WORD)?)).map(|word| (*word).to_owned()),
        }
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEPTH {
            return None;
        }
        Some(match self.byte()? {
            NULL => Value::Null,
            FALSE => Value::Bool(false),
            TRUE => Value::Bool(true),
            INTEGER => {
                let zigzag = self.varint()?;
                Value::from((zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed()))
            }
            UNSIGNED => Value::from(self.varint()?),
            FLOAT => Value::Number(Number::from_f64(f64::from_le_bytes(self.take(8)?.try_into().ok()?))?),
            ARRAY => {
                let count = self.count()?;
                Value::Array((0..count).map(|_| self.value(depth + 1)).collect::<Option<_>>()?)
            }
            OBJECT => {
                let count = self.count()?;
                let mut members = Map::new();
                for _ in 0..count {
                    let tag = self.byte()?;
                    members.insert(self.string(tag)?, self.value(depth + 1)?);
                }
                Value::Object(members)
            }
            tag => Value::String(self.string(tag)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn there_and_back(value: Value) {
        let members = value.as_object().unwrap();
        let packed = pack(members);
        assert_eq!(unpack(&packed).as_ref(), Some(members));
    }

    #[test]
    fn a_device_and_its_key_take_few_bytes_and_come_back() {
        let thumbprint = Base64UrlUnpadded::encode_string(&[7; 32]);
        let credential = json!({
            "created_at": 1_750_000_000, "kind": "initial", "state": "current",
            "jwk": { "kty": "EC", "crv": "P-256", "x": thumbprint, "y": thumbprint },
        });
        assert!(pack(credential.as_object().unwrap()).len() < 95);
        there_and_back(credential);
        let device = json!({ "created_at": 1_750_000_000, "state": "registered" });
        assert!(pack(device.as_object().unwrap()).len() < 13);
        there_and_back(device);
    }

    #[test]
    fn ids_of_ours_are_fourteen_bytes_in_the_order_of_their_text() {
        let ids = ["dev_00000000000000000000", "dev_0123456789abcdefghjk", "dev_zzzzzzzzzzzzzzzzzzzz"];
        let packed: Vec<_> = ids.map(name).into();
        assert!(packed.iter().all(|it| matches!(it, Sql::Blob(bytes) if bytes.len() == 14)));
        assert!(packed.is_sorted_by_key(|it| match it {
            Sql::Blob(bytes) => bytes.clone(),
            _ => Vec::new(),
        }));
    }

    #[test]
    fn what_only_looks_like_an_id_or_a_digest_stays_text() {
        let almost = ["dev_1", "dev_0123456789abcdefghji", "dev_0123456789ABCDEFGHJK", "cli_0123456789abcdefghjk", ""];
        // 43 characters with bits left over are no encoding of 32 bytes.
        let left_over = "A".repeat(42) + "B";
        for text in almost.into_iter().chain([left_over.as_str()]) {
            assert_eq!(name(text), Sql::Text(text.to_owned()));
        }
    }

    #[test]
    fn broken_bytes_are_refused() {
        let whole = pack(json!({ "name": "x", "list": [1, -1, true, null, 1.5, u64::MAX] }).as_object().unwrap());
        for end in 0..whole.len() {
            assert_eq!(unpack(&whole[..end]), None, "cut at {end}");
        }
        let mut longer = whole;
        longer.push(0);
        assert_eq!(unpack(&longer), None);
        assert_eq!(unpack(&[OBJECT, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]), None);
        assert_eq!(unpack(&[ARRAY; 4096]), None);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            any::<String>(),
            "[A-Za-z0-9_-]{14,46}",
            "(dev|crd|u|fam)_[0-9a-z]{20}",
            prop::sample::select(WORDS.to_vec()).prop_map(str::to_owned),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..8).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_is_packed_comes_back(value in any_value()) {
            there_and_back(json!({ "it": value }));
        }

        #[test]
        fn every_name_comes_back(text in "((dev|crd|x)?_?[A-Za-z0-9_-]{0,48})|([0-9a-f]{0,72})") {
            let packed = name(&text);
            prop_assert_eq!(name_text(ValueRef::from(&packed)), Some(text));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = unpack(&bytes);
            let _ = name_text(ValueRef::Blob(&bytes));
        }
    }
}
