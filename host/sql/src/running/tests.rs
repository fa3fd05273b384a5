use super::*;
use crate::aggregate::resolve;
use crate::cell::Value;
use crate::expr::Expr;
use crate::operators::testing::{
    Event, Given, Random, Row, State, assert_in_order, batch_of, rows_of, unlucky, whole,
};
use crate::plan::{Aggregate, Clock, Late, Window};
use crate::ty::{Column, RowType, SqlType};

fn types() -> Vec<SqlType> {
    vec![SqlType::Timestamp, SqlType::Integer, SqlType::Timestamp]
}

fn rows_type(types: &[SqlType]) -> RowType {
    RowType::with_rowtime(types[1..].iter().enumerate().map(|(index, ty)| Column {
        name: format!("C{index}"),
        ty: *ty,
    }))
}

fn stream(number: usize) -> Plan {
    Plan {
        step: Step::Stream(StreamId(number)),
        rows: rows_type(&types()),
    }
}

fn column(index: usize) -> Expr {
    Expr::column(index, types()[index])
}

fn project(input: Plan, values: Vec<Expr>) -> Plan {
    let types: Vec<SqlType> = values.iter().map(Expr::ty).collect();
    Plan {
        step: Step::Project {
            input: Box::new(input),
            values,
        },
        rows: rows_type(&types),
    }
}

/// The same rows, of which those with the number 13 fail.
fn sound(input: Plan) -> Plan {
    let rows = input.rows.clone();
    let there = Expr::literal(Value::Boolean(true), SqlType::Boolean);
    let number = unlucky(Expr::column(1, SqlType::Integer));
    let truth = Expr::case(vec![(there, number)], column(1), SqlType::Integer);
    let values = vec![column(0), truth, column(2)];
    let step = Step::Project {
        input: Box::new(input),
        values,
    };
    Plan { step, rows }
}

/// `ROWTIME, n, COUNT(*)`, in windows of some size, by `ROWTIME` or by the other time.
fn counted(input: Plan, size: Millis, late: Option<Millis>) -> Plan {
    let (time, clock) = match late {
        None => (0, Clock::Rowtime),
        Some(late) => {
            let column = column(2);
            (2, Clock::Watermark { column, late })
        }
    };
    let step = Aggregate {
        input,
        window: Window::Hop {
            time: Expr::column(time, SqlType::Timestamp),
            size,
            slide: size,
            offset: 0,
            clock,
            bounds: false,
        },
        keys: vec![column(1)],
        aggregates: vec![resolve("COUNT", Vec::new(), true, false).unwrap()],
        late: Late::Drop,
    };
    Plan {
        step: Step::Aggregate(Box::new(step)),
        rows: rows_type(&[SqlType::Timestamp, SqlType::Integer, SqlType::BigInt]),
    }
}

/// `ROWTIME, n` of either.
fn union(inputs: Vec<Plan>) -> Plan {
    let narrow = |plan| project(plan, vec![column(0), column(1)]);
    Plan {
        step: Step::Union {
            inputs: inputs.into_iter().map(narrow).collect(),
        },
        rows: rows_type(&types()[..2]),
    }
}

/// Runs a query over events of stream 0 and 1, whose rows go together as `cut` says.
struct Runner<'a> {
    plan: &'a Plan,
    query: RunningQuery,
    state: State,
    given: Given,
}

impl<'a> Runner<'a> {
    fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            query: RunningQuery::new(plan).unwrap(),
            state: State::default(),
            given: Given::default(),
        }
    }

    fn take(&mut self, out: Out) {
        let types: Vec<SqlType> = self.plan.rows.columns().iter().map(|c| c.ty).collect();
        for batch in &out.batches {
            self.given.rows.extend(rows_of(batch, &types));
        }
        for faulted in out.faults {
            let name = faulted.fault.kind.name();
            self.given.faults.push((name, faulted.rowtime, faulted.row));
        }
        self.given.dropped += out.dropped;
    }

    fn feed(&mut self, events: &[Event]) {
        let mut out = Out::default();
        match &events[0] {
            Event::Time(time) => self.query.on_time(*time, &mut out).unwrap(),
            Event::Row(stream, ..) => {
                let row = |event: &Event| match event {
                    Event::Row(_, time, values) => (*time, values.clone()),
                    Event::Time(_) => panic!("rows go together"),
                };
                let rows: Vec<Row> = events.iter().map(row).collect();
                let batch = batch_of(&types(), &rows);
                self.query
                    .on_batch(StreamId(*stream), &batch, &mut out)
                    .unwrap();
            }
        }
        self.take(out);
    }

    fn save_and_take_up(&mut self) {
        self.query.save(&mut self.state);
        self.query = RunningQuery::new(self.plan).unwrap();
        self.query.restore(self.state.rows.clone()).unwrap();
    }

    fn end(mut self) -> Given {
        let mut out = Out::default();
        self.query.on_end(&mut out).unwrap();
        self.take(out);
        self.given
    }
}

fn one_by_one(plan: &Plan, events: &[Event]) -> Given {
    let mut runner = Runner::new(plan);
    for event in events {
        runner.feed(std::slice::from_ref(event));
    }
    runner.end()
}

fn in_batches(plan: &Plan, events: &[Event], random: &mut Random) -> Given {
    let mut runner = Runner::new(plan);
    let of = |event: &Event| match event {
        Event::Row(stream, ..) => Some(*stream),
        Event::Time(_) => None,
    };
    let mut rest = events;
    while let Some(first) = rest.first() {
        let most = usize::try_from(random.below(9) + 1).unwrap();
        let same = rest
            .iter()
            .take_while(|event| of(event) == of(first))
            .count();
        let length = if of(first).is_some() {
            same.min(most)
        } else {
            1
        };
        runner.feed(&rest[..length]);
        rest = &rest[length..];
        match random.below(5) {
            0 => runner.save_and_take_up(),
            1 => runner.query.save(&mut runner.state),
            _ => {}
        }
    }
    runner.end()
}

fn random_events(random: &mut Random) -> Vec<Event> {
    let mut time = 100;
    let signed = |number: u64| i64::try_from(number).unwrap();
    let mut events = Vec::new();
    for _ in 0..60 {
        time += signed(random.below(6));
        if random.below(10) == 0 {
            events.push(Event::Time(time));
            continue;
        }
        let stream = usize::try_from(random.below(3) / 2).unwrap();
        let number = whole(signed(random.below(15)));
        let at = whole(time - signed(random.below(12)));
        events.push(Event::Row(stream, time, vec![number, at]));
    }
    events
}

#[test]
fn what_a_query_gives_does_not_depend_on_cuts_and_restarts() {
    let plans = [
        sound(stream(0)),
        union(vec![stream(0), stream(1)]),
        union(vec![sound(stream(0)), stream(0)]),
        union(vec![
            counted(stream(0), 10, None),
            stream(0),
            sound(stream(1)),
        ]),
        union(vec![stream(0), counted(sound(stream(0)), 10, Some(5))]),
        counted(counted_with_time(counted(stream(0), 10, None)), 20, None),
        union(vec![
            counted(stream(0), 7, Some(0)),
            counted(stream(1), 10, Some(30)),
        ]),
    ];
    for seed in 0..40 {
        let mut random = Random(seed);
        let events = random_events(&mut random);
        for (number, plan) in plans.iter().enumerate() {
            let given = one_by_one(plan, &events);
            assert_in_order(&given.rows);
            for _ in 0..3 {
                let cut = in_batches(plan, &events, &mut random);
                assert_eq!(cut, given, "plan {number} seed {seed}");
            }
        }
    }
}

/// The columns of a stream, made of those of [`counted`].
fn counted_with_time(input: Plan) -> Plan {
    project(input, vec![column(0), column(1), column(0)])
}

#[test]
fn a_union_gives_the_rows_of_all_its_inputs_in_the_order_of_time() {
    let row = |time, number| Event::Row(0, time, vec![whole(number), whole(time)]);
    let events = [row(1, 7), row(12, 8), row(12, 9), row(31, 7)];
    let plan = union(vec![stream(0), counted(stream(0), 10, None)]);
    let given = one_by_one(&plan, &events);
    let expected = [
        (1, 7),
        (10, 7),
        (12, 8),
        (12, 9),
        (20, 8),
        (20, 9),
        (31, 7),
        (40, 7),
    ];
    let expected = expected.map(|(time, number)| (time, vec![whole(number)]));
    assert_eq!(given.rows, expected);
}

#[test]
fn a_stream_alone_is_a_query() {
    let event = Event::Row(0, 5, vec![whole(1), whole(2)]);
    let plan = stream(0);
    let given = one_by_one(&plan, &[event]);
    assert_eq!(given.rows, [(5, vec![whole(1), whole(2)])]);
}

#[test]
fn a_changed_program_keeps_the_state_of_the_steps_that_are_as_they_were() {
    let row = |time, number| Event::Row(0, time, vec![whole(number), whole(time)]);
    let before = counted(stream(0), 10, None);
    let mut old = Runner::new(&before);
    old.feed(&[row(1, 7)]);
    let mut state = State::default();
    old.query.save(&mut state);

    // What stands in front of the step is other, and what stands behind it too.
    let after = union(vec![counted(sound(stream(0)), 10, None), stream(1)]);
    let mut new = Runner::new(&after);
    let restored = new.query.restore(state.rows.clone()).unwrap();
    assert_eq!(
        (restored.kept, restored.dropped_rows),
        (vec!["GROUP BY"], 0)
    );
    new.feed(&[row(2, 7)]);
    let given = new.end();
    assert_eq!(given.rows, [(10, vec![whole(7)])]);

    let wider = counted(stream(0), 20, None);
    let mut other = Runner::new(&wider);
    let restored = other.query.restore(state.rows.clone()).unwrap();
    assert_eq!(restored.empty, ["GROUP BY"]);
    assert_eq!(restored.dropped_rows, state.rows.len());
    let old_keys: Vec<Vec<u8>> = state.rows.keys().cloned().collect();
    other.query.save(&mut state);
    assert!(old_keys.iter().all(|key| !state.rows.contains_key(key)));
}

#[test]
fn steps_that_are_the_same_have_states_of_their_own() {
    let plan = union(vec![
        counted(stream(0), 10, None),
        counted(stream(1), 10, None),
    ]);
    let row = |stream, time, number| Event::Row(stream, time, vec![whole(number), whole(time)]);
    let mut runner = Runner::new(&plan);
    runner.feed(&[row(0, 1, 7)]);
    runner.feed(&[row(1, 2, 8)]);
    runner.save_and_take_up();
    let given = runner.end();
    assert_eq!(given.rows, [(10, vec![whole(7)]), (10, vec![whole(8)])]);
}

#[test]
fn a_row_that_fails_is_left_out_and_the_others_of_its_batch_stay() {
    let row = |time, number| Event::Row(0, time, vec![whole(number), whole(time)]);
    let plan = sound(stream(0));
    let mut runner = Runner::new(&plan);
    runner.feed(&[row(1, 12), row(2, 13), row(3, 14)]);
    let given = runner.end();
    let left = [
        (1, vec![whole(12), whole(1)]),
        (3, vec![whole(14), whole(3)]),
    ];
    assert_eq!(given.rows, left);
    let fault = ("INVALID_ARGUMENT", 2, vec![whole(13), whole(2)]);
    assert_eq!(given.faults, [fault]);
}

#[test]
fn a_rowtime_of_a_query_that_falls_costs_its_row() {
    let row = |time, at| Event::Row(0, time, vec![whole(1), whole(at)]);
    let plan = project(stream(0), vec![column(2), column(1)]);
    let mut runner = Runner::new(&plan);
    runner.feed(&[row(1, 10), row(2, 9)]);
    runner.save_and_take_up();
    runner.feed(&[row(3, 9), row(4, 10)]);
    let given = runner.end();
    assert_eq!(given.rows, [(10, vec![whole(1)]), (10, vec![whole(1)])]);
    assert_eq!(given.faults.len(), 2);
}

#[test]
fn constants_are_given_once() {
    let literal = |number, ty| Expr::literal(whole(number), ty);
    let values = vec![vec![
        literal(5, SqlType::Timestamp),
        literal(6, SqlType::Integer),
    ]];
    let plan = Plan {
        step: Step::Values { values },
        rows: rows_type(&types()[..2]),
    };
    let mut runner = Runner::new(&plan);
    runner.feed(&[Event::Time(5)]);
    runner.save_and_take_up();
    runner.feed(&[Event::Time(6)]);
    let given = runner.end();
    assert_eq!(given.rows, [(5, vec![whole(6)])]);
}

#[test]
fn a_plan_that_is_too_deep_is_refused() {
    let mut plan = stream(0);
    for _ in 0..PLAN_DEPTH_MAX {
        plan = sound(plan);
    }
    assert!(RunningQuery::new(&plan).is_err());
}

#[test]
fn the_fingerprint_of_a_step_stays_the_same_from_build_to_build() {
    // Where this changes, all programs that run lose the state of such steps with the next build.
    let plan = counted(stream(0), 10, None);
    assert_eq!(fingerprint(&plan), 8_016_849_847_709_635_618);
}
