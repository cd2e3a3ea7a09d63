use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

fn scan(text: &str) -> Result<(), Ambiguous> {
    Framing::default().scan(text.as_bytes())
}

/// Two messages one after the other are read as two.
fn followed(text: &str) -> bool {
    let mut framing = Framing::default();
    framing.scan(text.as_bytes()).is_ok() && framing.place == Place::Between
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn what_clients_send_is_let_through_to_its_end() {
    for message in [
        GET,
        "GET / HTTP/1.0\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nX-Tab: a\tb\r\nX-Latin: \u{e9}\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        "POST / HTTP/1.1\r\ncontent-length:0\r\n\r\n",
        "POST / HTTP/1.1\r\nCONTENT-LENGTH:  5\t \r\n\r\n\r\n\r\n\0",
        "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n00a;name=\"va;l\"\r\n0123456789\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\nContent-Length: 7\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\n\r\n",
    ] {
        assert!(followed(message), "{message:?}");
        assert!(followed(&[message, GET, message].concat()), "{message:?} and more");
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let head = |fields: &str| format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n");
    let chunk = |body: &str| format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
    let table = [
        "GET / HTTP/1.1\n\n".to_owned(),
        "GET / HTTP/1.1\rHost: a\r\n\r\n".to_owned(),
        "\nGET / HTTP/1.1\r\n\r\n".to_owned(),
        "\r\n\r\nGET / HTTP/1.1\r\n\r\n".to_owned(),
        " GET / HTTP/1.1\r\n\r\n".to_owned(),
        "GET / HTTP/2.0\r\n\r\n".to_owned(),
        "GET /\r\n\r\n".to_owned(),
        "GET /\0 HTTP/1.1\r\n\r\n".to_owned(),
        "GET /\t HTTP/1.1\r\n\r\n".to_owned(),
        head("X: a\nY: b"),
        head("X: a\rY: b"),
        head("X: a\0b"),
        head("X: a\r\n folded"),
        head("X: a\r\n\tfolded"),
        head(" X: a"),
        head("X : a"),
        head("X\t: a"),
        head(": a"),
        head("X"),
        head("X\u{e9}: a"),
        head("Content-Length: 5\r\nContent-Length: 5"),
        head("Content-Length: 5\r\nContent-Length: 6"),
        head("Content-Length: 5, 5"),
        head("Content-Length: +5"),
        head("Content-Length: -5"),
        head("Content-Length: 5 5"),
        head("Content-Length: 0x5"),
        head("Content-Length: 5;"),
        head("Content-Length:"),
        head("Content-Length: 9999999999999999999"),
        head("Content-Length: 18446744073709551621"),
        head("Content-Length: 5\r\nTransfer-Encoding: chunked"),
        head("Transfer-Encoding: chunked\r\nContent-Length: 5"),
        head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        head("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked"),
        head("Transfer-Encoding: gzip, chunked"),
        head("Transfer-Encoding: chunked, identity"),
        head("Transfer-Encoding: identity"),
        head("Transfer-Encoding: xchunked"),
        head("Transfer-Encoding: chunked;q=1"),
        head("Transfer-Encoding: \"chunked\""),
        head("Transfer-Encoding:\u{b}chunked"),
        head("Transfer-Encoding:"),
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
        chunk("\r\n"),
        chunk("x\r\n"),
        chunk("-1\r\n"),
        chunk("0x1\r\n"),
        chunk("1 \r\n"),
        chunk("1\n"),
        chunk("1;a\nb\r\n"),
        chunk("1;a\rb\r\n"),
        chunk("1000000000000000\r\n"),
        chunk("ffffffffffffffff1\r\n"),
        chunk(&format!("1;{}\r\n", "a".repeat(MAX_CHUNK_EXTENSION + 1))),
        chunk("1\r\naX"),
        chunk("1\r\na\n"),
        chunk("0\r\nX-Sum : 1\r\n\r\n"),
        chunk("0\r\nX-Sum: 1\n\r\n"),
        chunk("0\r\n X: 1\r\n\r\n"),
    ];
    for text in table {
        assert!(scan(&text).is_err(), "{text:?}");
    }
    assert!(scan(&chunk(&format!("1;{}\r\n", "a".repeat(MAX_CHUNK_EXTENSION)))).is_ok());
}

/// The inputs of the fuzz target, with the names of those that are right.
#[test]
fn the_corpus_is_framed_as_its_names_say() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/http_framing");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let right = file.file_name().unwrap().to_str().unwrap().starts_with("right-");
        assert_eq!(Framing::default().scan(&std::fs::read(&file).unwrap()).is_ok(), right, "{}", file.display());
        count += 1;
    }
    assert!(count >= 10, "{count}");
}

#[test]
fn nothing_of_the_one_message_reaches_into_the_next() {
    let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let sized = "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
    assert!(followed(&[sized, chunked, sized, GET, chunked].concat()));
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    let body = prop::collection::vec(any::<u8>(), 0..40);
    let chunks = prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..4);
    prop_oneof![
        Just(GET.as_bytes().to_vec()),
        body.prop_map(|body| {
            [format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), &body].concat()
        }),
        chunks.prop_map(|chunks| {
            let mut bytes = b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            for chunk in chunks {
                bytes.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
                bytes.extend(chunk);
                bytes.extend(b"\r\n");
            }
            bytes.extend(b"0\r\n\r\n");
            bytes
        }),
    ]
}

proptest! {
    #[test]
    fn any_right_messages_are_let_through_however_they_are_cut(
        messages in prop::collection::vec(message(), 1..5),
        cut in 1usize..50,
    ) {
        let bytes = messages.concat();
        let mut framing = Framing::default();
        for piece in bytes.chunks(cut) {
            prop_assert_eq!(framing.scan(piece), Ok(()));
        }
        prop_assert_eq!(framing.place, Place::Between);
    }

    #[test]
    fn how_bytes_are_cut_changes_no_verdict(
        messages in prop::collection::vec(message(), 1..4),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in 1usize..50,
    ) {
        let mut bytes = messages.concat();
        *place.get_mut(&mut bytes) = byte;
        let whole = Framing::default().scan(&bytes);
        let mut framing = Framing::default();
        let mut pieces = bytes.chunks(cut).enumerate();
        let found = pieces.find_map(|(index, piece)| framing.scan(piece).err().map(|found| index * cut + found.at));
        prop_assert_eq!(whole.err().map(|found| found.at), found);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Framing::default().scan(&bytes);
    }
}
