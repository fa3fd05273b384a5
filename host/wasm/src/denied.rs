//! WASI's files, sockets and HTTP, with nothing behind them: libraries of other languages import
//! them whether or not a program uses them. Each call is answered with the error that its interface
//! has for what is not allowed, and touches nothing of the machine.
//!
//! The functions are made from what a component imports, so that all versions of these interfaces
//! that a component may ask for are there, and none stands here as text.

use wasmtime::StoreContextMut;
use wasmtime::component::types::{ComponentFunc, ComponentInstance, ComponentItem, Type};
use wasmtime::component::{Component, Linker, LinkerInstance, Resource, ResourceType, Val};
use wasmtime_wasi_io::poll::DynPollable;
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream, Error as IoError};

use crate::runtime::Runtime;
use crate::state::State;

/// The packages that are denied.
pub(crate) const PACKAGES: [&str; 3] = ["wasi:filesystem/", "wasi:sockets/", "wasi:http/"];
/// The cases of the errors of these packages that say that something is not allowed.
const REFUSALS: [&str; 4] = [
    "access",
    "access-denied",
    "HTTP-request-denied",
    "forbidden",
];

/// What a guest gets in the place of a socket or a request.
struct Denied;

/// What all guests may import, and what is denied to this one.
pub(crate) fn linker(runtime: &Runtime, component: &Component) -> wasmtime::Result<Linker<State>> {
    let mut linker = runtime.linker.clone();
    let component = component.component_type();
    for (name, import) in component.imports(&runtime.engine) {
        let ComponentItem::ComponentInstance(interface) = &import.ty else {
            continue;
        };
        if PACKAGES.iter().any(|package| name.starts_with(package)) {
            deny(&mut linker.instance(name)?, interface, runtime)?;
        }
    }
    Ok(linker)
}

fn deny(
    linker: &mut LinkerInstance<'_, State>,
    interface: &ComponentInstance,
    runtime: &Runtime,
) -> wasmtime::Result<()> {
    for (name, export) in interface.exports(&runtime.engine) {
        match &export.ty {
            ComponentItem::Resource(_) => linker.resource(name, resource(name), |_, _| Ok(()))?,
            ComponentItem::ComponentFunc(func) => {
                let answer = Answer::of(func);
                linker.func_new(name, move |store, _, _, results| {
                    answer.give(store, results)
                })?;
            }
            // Types have no implementation, and these interfaces have nothing else.
            _ => {}
        }
    }
    Ok(())
}

/// The host's type of a resource. These interfaces borrow those of `wasi:io`.
fn resource(name: &str) -> ResourceType {
    match name {
        "input-stream" => ResourceType::host::<DynInputStream>(),
        "output-stream" => ResourceType::host::<DynOutputStream>(),
        "pollable" => ResourceType::host::<DynPollable>(),
        "error" | "io-error" => ResourceType::host::<IoError>(),
        _ => ResourceType::host::<Denied>(),
    }
}

/// How a function says no.
#[derive(Clone, Debug)]
enum Answer {
    /// It has nothing to say.
    Nothing,
    /// A value that holds nothing: a list of no directories.
    Empty(Val),
    /// A resource that can do nothing: a set of header fields must be there to be filled.
    Resource,
    /// It has no words for it.
    Trap,
}

impl Answer {
    fn of(func: &ComponentFunc) -> Self {
        let mut results = func.results();
        match results.next() {
            None => Self::Nothing,
            Some(Type::Own(_)) => Self::Resource,
            Some(result) => empty(&result).map_or(Self::Trap, Self::Empty),
        }
    }

    fn give(
        &self,
        mut store: StoreContextMut<'_, State>,
        results: &mut [Val],
    ) -> wasmtime::Result<()> {
        store.data_mut().host_call()?;
        let value = match self {
            Self::Nothing => return Ok(()),
            Self::Empty(value) => value.clone(),
            Self::Resource => {
                let denied = Resource::<Denied>::new_own(0);
                Val::Resource(denied.try_into_resource_any(&mut store)?)
            }
            Self::Trap => {
                let why = "a plugin has no files, no sockets and no HTTP";
                return Err(wasmtime::Error::msg(why));
            }
        };
        // A function of a component has one result at most.
        results.fill(value);
        Ok(())
    }
}

/// The value of a type that gives the least: an error if it has one, else none of what it lists.
fn empty(ty: &Type) -> Option<Val> {
    Some(match ty {
        Type::Result(result) => match result.err() {
            None => Val::Result(Err(None)),
            Some(error) => Val::Result(Err(Some(Box::new(refusal(&error)?)))),
        },
        Type::Option(_) => Val::Option(None),
        Type::List(_) => Val::List(Vec::new()),
        Type::String => Val::String(String::new()),
        Type::Bool => Val::Bool(false),
        Type::U8 => Val::U8(0),
        Type::U16 => Val::U16(0),
        Type::U32 => Val::U32(0),
        Type::U64 => Val::U64(0),
        _ => return None,
    })
}

/// The case of an error that says that something is not allowed, or else the first that needs no
/// more words.
fn refusal(error: &Type) -> Option<Val> {
    match error {
        Type::Enum(cases) => {
            let cases: Vec<&str> = cases.names().collect();
            Some(Val::Enum(choose(&cases)?.to_owned()))
        }
        Type::Variant(variant) => {
            let cases = variant.cases().filter(|case| case.ty.is_none());
            let cases: Vec<&str> = cases.map(|case| case.name).collect();
            Some(Val::Variant(choose(&cases)?.to_owned(), None))
        }
        _ => None,
    }
}

fn choose<'a>(cases: &[&'a str]) -> Option<&'a str> {
    let known = REFUSALS.iter().find_map(|refusal| {
        let mut cases = cases.iter();
        cases.find(|case| *case == refusal).copied()
    });
    known.or_else(|| cases.first().copied())
}
