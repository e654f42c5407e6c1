use proptest::prelude::*;

use super::*;

fn requests(bytes: &[u8]) -> Vec<Result<String, Malformed>> {
    let mut reader = Requests::default();
    reader.feed(bytes);
    std::iter::from_fn(|| reader.next()).collect()
}

#[test]
fn lines_are_requests() {
    let read = requests(b"status\nconfig get  x\r\n\ta\n\nhalf");
    assert_eq!(read, ["status", "config get  x", "\ta", ""].map(|line| Ok(line.to_owned())));
}

#[test]
fn what_is_no_text_is_refused_and_the_next_line_is_read() {
    let read = requests(b"a\0b\n\xff\xfe\n\x1b[2J\nb\rc\nok\n");
    let expected = [
        Err(Malformed::Control('\0')),
        Err(Malformed::NotUtf8),
        Err(Malformed::Control('\u{1b}')),
        Err(Malformed::Control('\r')),
        Ok("ok".to_owned()),
    ];
    assert_eq!(read, expected);
    assert_eq!(requests("\u{85}\n".as_bytes()), [Err(Malformed::Control('\u{85}'))]);
}

#[test]
fn the_longest_line_is_read_and_a_longer_one_ends_it() {
    let mut line = vec![b'x'; MAX_REQUEST_BYTES];
    line.push(b'\n');
    assert_eq!(requests(&line)[0].as_ref().map(String::len), Ok(MAX_REQUEST_BYTES));
    line.insert(0, b'x');
    line.extend_from_slice(b"status\n");
    assert_eq!(requests(&line), [Err(Malformed::TooLong)]);
    let mut reader = Requests::default();
    for _ in 0..3 {
        reader.feed(&[b'x'; MAX_REQUEST_BYTES / 2]);
    }
    assert_eq!(reader.next(), Some(Err(Malformed::TooLong)));
    reader.feed(b"\nstatus\n");
    assert_eq!((reader.next(), reader.is_begun()), (None, false), "nothing is kept of what follows");
}

#[test]
fn half_a_request_is_none() {
    let mut reader = Requests::default();
    reader.feed(b"config set x = 1");
    assert_eq!((reader.next(), reader.is_begun()), (None, true));
    assert_eq!(reader.finish(), Some(Malformed::Unfinished));
    let mut reader = Requests::default();
    reader.feed(b"status\n");
    assert_eq!(reader.next(), Some(Ok("status".to_owned())));
    assert_eq!(reader.finish(), None);
}

#[test]
fn what_is_no_reply_is_known_at_its_first_wrong_byte() {
    for text in [
        "HTTP/1.1 400",
        "3 1\nx",
        "0  1\nx",
        "0 1x",
        "0 99999999999",
        "1\n",
        "0 \n",
        "0 +1\nx",
        "0 536870913\n",
    ] {
        let mut reader = Replies::default();
        reader.feed(text.as_bytes());
        assert_eq!(reader.next(), Err(Garbled), "{text}");
    }
    for text in ["", "0", "0 ", "0 53687091", "2 5\nfour"] {
        let mut reader = Replies::default();
        reader.feed(text.as_bytes());
        assert_eq!(reader.next(), Ok(None), "{text}");
    }
}

proptest! {
    #[test]
    fn in_whatever_pieces_requests_come_they_are_the_same(
        bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(0), any::<u8>(), b'a'..b'f'], 0..200),
        sizes in proptest::collection::vec(1_usize..9, 1..20),
    ) {
        let whole = requests(&bytes);
        let mut reader = Requests::default();
        let mut pieces = Vec::new();
        let mut rest = &bytes[..];
        for size in sizes.iter().cycle() {
            if rest.is_empty() { break; }
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            reader.feed(piece);
            while let Some(request) = reader.next() { pieces.push(request); }
            rest = after;
        }
        prop_assert_eq!(&pieces, &whole);
        prop_assert_eq!(whole.len(), bytes.iter().filter(|byte| **byte == b'\n').count());
        prop_assert_eq!(reader.is_begun(), bytes.last().is_some_and(|byte| *byte != b'\n'));
    }

    #[test]
    fn replies_come_back_as_they_were(
        replies in proptest::collection::vec((0_u8..3, "[a-z0-9 é\n]{0,40}"), 0..6),
        size in 1_usize..30,
    ) {
        let replies: Vec<Reply> = replies.into_iter().map(|(status, text)| {
            let status = [Status::Done, Status::Refused, Status::NotUnderstood][usize::from(status)];
            Reply { status, text }
        }).collect();
        let bytes: Vec<u8> = replies.iter().flat_map(Reply::encode).collect();
        let mut reader = Replies::default();
        let mut read = Vec::new();
        for piece in bytes.chunks(size) {
            reader.feed(piece);
            while let Some(reply) = reader.next().expect("it is a reply") { read.push(reply); }
        }
        prop_assert_eq!(read, replies);
    }
}
