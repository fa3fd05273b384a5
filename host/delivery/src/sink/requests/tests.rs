use bytes::Bytes;
use serde_json::Value;

use super::*;
use crate::answers::Failed;
use crate::answers::Fault;

fn terms(answers: Answers) -> Terms {
    Terms {
        naming: NamingKey([7; 32]),
        place: Place {
            delivery_stream: 1,
            lane: (2, 3),
            cut: 4,
            part: 0,
            kind: PieceKind::Delivered,
        },
        made_at: Timestamp(1_700_000_000_000),
        envelope: Envelope::Endpoint { packs: false },
        answers,
    }
}

/// All pieces of a cut whose records become what they are, or so many copies of it.
fn pieces(terms: Terms, records: &[(&[u8], usize)]) -> (Vec<Piece>, Counts, usize) {
    let mut requests = Requests::begin(terms);
    let mut too_large = 0;
    for (data, copies) in records {
        let history = History {
            arrival: Timestamp(5),
            attempts: 1,
        };
        requests.begin_source(Record { data, history });
        for _ in 0..*copies {
            requests.add(data, b"\n");
        }
        too_large += usize::from(requests.end_source().is_some());
    }
    requests.end_request();
    requests.check().unwrap();
    (requests.take_ready(), requests.counts(), too_large)
}

fn json(piece: &Piece) -> Value {
    serde_json::from_slice(&Bytes::from(piece.content.clone())).unwrap()
}

fn data(value: &Value) -> Vec<u8> {
    let text = value["data"].as_str().unwrap();
    base64_simd::STANDARD.decode_to_vec(text).unwrap()
}

fn refused(parts: &[u16]) -> Answers {
    let fault = Fault {
        code: "HttpEndpoint.DestinationException",
        message: "no".to_owned(),
    };
    let failed = |part| Failed {
        part,
        fault: &fault,
        waited: std::time::Duration::ZERO,
        retry_time: std::time::Duration::ZERO,
    };
    let refuse = |answers: Answers, part: &u16| answers.after_failure(failed(*part), Timestamp(9));
    parts.iter().fold(Answers::default(), refuse)
}

#[test]
fn a_body_is_what_the_contract_says() {
    let (pieces, counts, _) = pieces(terms(Answers::default()), &[(b"a", 1), (b"b\n", 2)]);
    let [piece] = &pieces[..] else { panic!() };
    let body = json(piece);
    let id = NamingKey([7; 32]).uuid(terms(Answers::default()).place);
    assert_eq!(body["requestId"], id.as_str());
    assert_eq!(body["timestamp"], 1_700_000_000_000_u64);
    let records: Vec<_> = body["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(data)
        .collect();
    assert_eq!(records, [b"a\n", b"b\n", b"b\n"]);
    assert_eq!((piece.holds.records_in, piece.holds.delivered), (2, 2));
    assert_eq!(
        (counts.delivered, counts.objects, counts.bytes_delivered),
        (2, 1, 5)
    );
}

#[test]
fn no_request_has_more_than_ten_thousand_records_and_none_is_divided() {
    let mut records = vec![(&b"x"[..], 1); 9_999];
    records.extend([
        (&b"y"[..], 2),
        (b"z", RECORDS_MAX),
        (b"w", RECORDS_MAX + 1),
        (b"v", 1),
    ]);
    let (pieces, counts, too_large) = pieces(terms(Answers::default()), &records);
    let sizes: Vec<_> = pieces
        .iter()
        .map(|piece| json(piece)["records"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [9_999, 2, RECORDS_MAX, 1]);
    let holds: Vec<_> = pieces.iter().map(|piece| piece.holds.delivered).collect();
    assert_eq!((holds, too_large), (vec![9_999, 1, 1, 1], 1));
    assert_eq!(counts.delivered, 10_002);
}

#[test]
fn no_body_is_longer_than_64_mebibytes() {
    let large = vec![b'x'; 10 << 20];
    let records = vec![(&large[..], 1); 9];
    let (pieces, ..) = pieces(terms(Answers::default()), &records);
    let sizes: Vec<_> = pieces
        .iter()
        .map(|piece| {
            (
                json(piece)["records"].as_array().unwrap().len(),
                piece.content.content_length(),
            )
        })
        .collect();
    assert_eq!(
        sizes
            .iter()
            .map(|(records, _)| *records)
            .collect::<Vec<_>>(),
        [4, 4, 1]
    );
    assert!(sizes.iter().all(|(_, bytes)| *bytes <= BODY_BYTES_MAX));
    let huge = vec![b'x'; 49 << 20];
    let (pieces, _, too_large) = self::pieces(terms(Answers::default()), &[(&huge, 1)]);
    assert_eq!((pieces.len(), too_large), (0, 1));
}

#[test]
fn whatever_was_refused_the_other_requests_are_the_same() {
    let records: Vec<_> = (0..5).map(|_| (&b"record"[..], 7_000)).collect();
    let (whole, counts, _) = pieces(terms(Answers::default()), &records);
    assert_eq!((whole.len(), counts.delivered, counts.failed), (5, 5, 0));
    for set in 0_u16..32 {
        let parts: Vec<u16> = (0..5).filter(|part| set >> part & 1 == 1).collect();
        let (pieces, counts, _) = pieces(terms(refused(&parts)), &records);
        assert_eq!(pieces.len(), 5);
        assert_eq!(counts.failed, parts.len() as u64);
        for (place, piece) in (0..).zip(&pieces) {
            assert_eq!(piece.holds.records_in, 1);
            if parts.contains(&place) {
                assert_eq!(piece.kind, PieceKind::Refused);
                let line = json(piece);
                assert_eq!(line["attemptsMade"], 2);
                assert_eq!(line["errorCode"], "HttpEndpoint.DestinationException");
                assert_eq!(line["rawData"], "cmVjb3Jk");
                assert_eq!(line["attemptEndingTimestamp"], 9);
                assert!(line.get("lambdaARN").is_none());
            } else {
                assert_eq!((piece.kind, piece.part), (PieceKind::Delivered, place));
                let same = &whole[usize::from(place)].content;
                assert_eq!(
                    Bytes::from(piece.content.clone()),
                    Bytes::from(same.clone())
                );
            }
        }
    }
}
