use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::answers::records::RecordFault;
use crate::answers::{Failed, Fault};
use crate::compression::Compression;
use crate::search::{Product, Search};
use crate::sink::documents::Documents;
use crate::sink::envelope::RECORDS_MAX;

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

fn parsed(piece: &Piece) -> Value {
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
    let body = parsed(piece);
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
        .map(|piece| parsed(piece)["records"].as_array().unwrap().len())
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
                parsed(piece)["records"].as_array().unwrap().len(),
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
                let line = parsed(piece);
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

/// The lines of a body.
fn lines(piece: &Piece) -> Vec<String> {
    let body = Bytes::from(piece.content.clone());
    let body = String::from_utf8(body.to_vec()).unwrap();
    body.lines().map(str::to_owned).collect()
}

fn documents(answers: Answers) -> Terms {
    let mut search = Search::blank(Product::OpenSearch);
    search.index.name = "logs".to_owned();
    Terms {
        envelope: Envelope::Documents(Documents::of(&search)),
        ..terms(answers)
    }
}

#[test]
fn records_that_are_refused_by_themselves_leave_all_others_as_they_were() {
    let records: Vec<String> = (0..5).map(|number| format!("{{\"a\":{number}}}")).collect();
    let records: Vec<_> = records.iter().map(|it| (it.as_bytes(), 1)).collect();
    let (whole, ..) = pieces(documents(Answers::default()), &records);
    assert_eq!(whole.len(), 1);
    assert_eq!(whole[0].records, [0, 1, 2, 3, 4]);
    let all = lines(&whole[0]);
    for set in 1_u16..32 {
        let is_refused = |record: u16| set >> record & 1 == 1;
        let faults: Vec<_> = (0..5)
            .filter(|record| is_refused(*record))
            .map(|record| RecordFault {
                record,
                code: "400".to_owned(),
                message: format!("no {record}"),
            })
            .collect();
        let answers = Answers::default().after_refusal_of(0, &faults, Timestamp(9));
        let (pieces, counts, _) = pieces(documents(answers), &records);
        let taken: Vec<u16> = (0..5).filter(|record| !is_refused(*record)).collect();
        let (delivered, refused) = pieces.split_at(usize::from(!taken.is_empty()));
        if let [request] = delivered {
            assert_eq!(
                (request.kind, &request.records),
                (PieceKind::Delivered, &taken)
            );
            let wanted = taken.iter().flat_map(|record| {
                let at = usize::from(*record) * 2;
                all[at..at + 2].to_vec()
            });
            assert_eq!(lines(request), wanted.collect::<Vec<_>>());
        }
        let [refused] = refused else {
            panic!("{refused:?}");
        };
        assert_eq!((refused.kind, refused.part), (PieceKind::Refused, 0));
        for (line, fault) in lines(refused).iter().zip(&faults) {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["errorMessage"], fault.message);
            assert_eq!(
                (&line["errorCode"], &line["attemptsMade"]),
                (&json!("400"), &json!(2))
            );
            assert_eq!(line["esIndexName"], "logs-1970-01-01");
            let action = &all[usize::from(fault.record) * 2];
            assert!(action.contains(line["esDocumentId"].as_str().unwrap()));
        }
        let counted = (counts.delivered, counts.failed, counts.objects);
        let wanted = (
            taken.len() as u64,
            faults.len() as u64,
            u64::from(!taken.is_empty()),
        );
        assert_eq!(counted, wanted);
    }
}

fn staged(compression: Compression, answers: Answers) -> Terms {
    Terms {
        envelope: Envelope::Staged { compression },
        ..terms(answers)
    }
}

#[test]
fn what_is_staged_is_records_as_they_are_in_one_object_however_many() {
    let records = vec![(&b"a"[..], 1); RECORDS_MAX + 1];
    let terms = staged(Compression::Uncompressed, Answers::default());
    let (whole, counts, _) = pieces(terms, &records);
    let [piece] = &whole[..] else { panic!() };
    let content = Bytes::from(piece.content.clone());
    assert_eq!(content, "a\n".repeat(RECORDS_MAX + 1));
    assert!(piece.records.is_empty());
    let all = RECORDS_MAX as u64 + 1;
    assert_eq!((counts.delivered, counts.failed), (all, 0));
}

#[test]
fn what_is_staged_and_refused_stays_the_same_object_and_counts_as_failed() {
    let large = vec![b'x'; BODY_BYTES_MAX / 2 - 1_000];
    let small = vec![b'a'; 3_000];
    let records: [(&[u8], usize); 3] = [(&small, 1), (b"", 2), (&large, 2)];
    let of = |compression, answers, records: &[(&[u8], usize)]| {
        let (pieces, counts, _) = pieces(staged(compression, answers), records);
        let contents = pieces.iter().map(|it| Bytes::from(it.content.clone()));
        let contents: Vec<Bytes> = contents.collect();
        (pieces, contents, counts)
    };
    let plain = Compression::Uncompressed;
    let (whole, contents, _) = of(plain, Answers::default(), &records);
    let held: Vec<_> = whole.iter().map(|piece| piece.holds.delivered).collect();
    assert_eq!(held, [2, 1]);
    for (part, failed) in [(0, 2), (1, 1)] {
        let (pieces, again, counts) = of(plain, refused(&[part]), &records);
        assert_eq!((counts.failed, counts.delivered), (failed, 3 - failed));
        assert_eq!((counts.failed_objects, counts.objects), (1, 1));
        assert!(again == contents, "{part}");
        for (number, (piece, whole)) in (0..).zip(pieces.iter().zip(&whole)) {
            let kind = if number == part {
                PieceKind::Refused
            } else {
                PieceKind::Delivered
            };
            assert_eq!((piece.kind, piece.part), (kind, number));
            assert_eq!(piece.holds.records_in, whole.holds.records_in);
        }
    }
    let few = &records[..2];
    let (_, packed, _) = of(Compression::Gzip, Answers::default(), few);
    let (pieces, again, _) = of(Compression::Gzip, refused(&[0]), few);
    assert_eq!((pieces[0].kind, again), (PieceKind::Refused, packed));
}
