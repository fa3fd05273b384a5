//! Which world a component is of: which interfaces it exports, and what it may import for that.

use wasmtime::component::{Component, Instance, InstancePre};
use wasmtime::{AsContextMut, Engine, Store};

use crate::bindings::{
    lifecycle, record_processor, record_processor_simple, state, transform, transform_simple,
};
use crate::denied;
use crate::role::Role;
use crate::runtime::Runtime;
use crate::state::State;

/// The interfaces of which a component exports one, and the worlds that have them.
const WORLDS: [(&str, &str, Role); 4] = [
    ("transform", "transformer", Role::Transform),
    ("transform-simple", "transformer-simple", Role::Transform),
    ("record-processor", "consumer", Role::Consumer),
    ("record-processor-simple", "consumer-simple", Role::Consumer),
];
/// What only consumers import.
const OF_CONSUMERS: [&str; 3] = ["checkpoint", "table", "emit"];

/// What a version exports, linked and checked.
#[derive(Clone)]
pub(crate) struct World {
    name: &'static str,
    role: Role,
    pre: InstancePre<State>,
    lifecycle: lifecycle::GuestIndices,
    work: WorkIndices,
    /// What is kept from instance to instance, where the component has that.
    state: Option<state::GuestIndices>,
}

#[derive(Clone)]
enum WorkIndices {
    Transform(transform::GuestIndices),
    TransformSimple(transform_simple::GuestIndices),
    Process(record_processor::GuestIndices),
    ProcessSimple(record_processor_simple::GuestIndices),
}

/// The exports of one instance.
pub(crate) struct Exports {
    pub(crate) lifecycle: lifecycle::Guest,
    pub(crate) work: Work,
    pub(crate) state: Option<state::Guest>,
}

/// What an instance works on batches with.
pub(crate) enum Work {
    Transform(transform::Guest),
    TransformSimple(transform_simple::Guest),
    Process(record_processor::Guest),
    ProcessSimple(record_processor_simple::Guest),
}

impl World {
    /// Links a component and finds out which world it is of. What it exports besides is left aside.
    ///
    /// # Errors
    /// A sentence that says what it exports or imports that its world does not have, or the other
    /// way round.
    pub(crate) fn link(runtime: &Runtime, component: &Component) -> Result<Self, String> {
        let (interface, name, role) = world_of(component, &runtime.engine)?;
        if role != Role::Consumer {
            imports_nothing_of_consumers(runtime, component, name)?;
        }
        let linker = denied::linker(runtime, component);
        let linked = linker.and_then(|linker| linker.instantiate_pre(component));
        let pre = linked.map_err(|error| format!("{error:#}"))?;
        let lacks = |error: wasmtime::Error| {
            format!("it is of no world of millrace:plugin@0.1.0: for {name}, {error:#}")
        };
        let lifecycle = lifecycle::GuestIndices::new(&pre).map_err(lacks)?;
        let work = WorkIndices::new(interface, &pre).map_err(lacks)?;
        let keeps_state = exports(component, "state");
        let state = keeps_state.then(|| state::GuestIndices::new(&pre));
        Ok(Self {
            name,
            role,
            lifecycle,
            work,
            state: state.transpose().map_err(lacks)?,
            pre,
        })
    }

    /// Its name in `wit/`.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// Whether its instances hand on what they know.
    pub(crate) fn has_state(&self) -> bool {
        self.state.is_some()
    }

    /// Makes an instance. Its exports must have the types of `wit/`, too.
    pub(crate) fn instantiate(&self, store: &mut Store<State>) -> wasmtime::Result<Exports> {
        let instance = self.pre.instantiate(&mut *store)?;
        let state = self.state.as_ref();
        Ok(Exports {
            lifecycle: self.lifecycle.load(&mut *store, &instance)?,
            work: self.work.load(&mut *store, &instance)?,
            state: state
                .map(|it| it.load(&mut *store, &instance))
                .transpose()?,
        })
    }
}

impl WorkIndices {
    fn new(interface: &str, pre: &InstancePre<State>) -> wasmtime::Result<Self> {
        Ok(match interface {
            "transform" => Self::Transform(transform::GuestIndices::new(pre)?),
            "transform-simple" => Self::TransformSimple(transform_simple::GuestIndices::new(pre)?),
            "record-processor" => Self::Process(record_processor::GuestIndices::new(pre)?),
            _ => Self::ProcessSimple(record_processor_simple::GuestIndices::new(pre)?),
        })
    }

    fn load(&self, store: impl AsContextMut, instance: &Instance) -> wasmtime::Result<Work> {
        Ok(match self {
            Self::Transform(it) => Work::Transform(it.load(store, instance)?),
            Self::TransformSimple(it) => Work::TransformSimple(it.load(store, instance)?),
            Self::Process(it) => Work::Process(it.load(store, instance)?),
            Self::ProcessSimple(it) => Work::ProcessSimple(it.load(store, instance)?),
        })
    }
}

/// What a program with a `main` exports. One of any 0.2 is found by this.
const COMMAND: &str = "wasi:cli/run@0.2.0";

/// The interface that a component works with, its world and what that is for.
fn world_of(
    component: &Component,
    engine: &Engine,
) -> Result<(&'static str, &'static str, Role), String> {
    let mut found = WORLDS.iter().filter(|(it, _, _)| exports(component, it));
    let Some(first) = found.next() else {
        let all = WORLDS.iter();
        let all: Vec<String> = all
            .map(|(it, world, _)| format!("{} ({world})", full(it)))
            .collect();
        let all = all.join(", ");
        let others = of_other_versions(component, engine);
        if !others.is_empty() {
            return Err(format!(
                "it exports {}, and the host has version 0.1.x: build it for one of {all}",
                others.join(", ")
            ));
        }
        let what = match component.get_export_index(None, COMMAND) {
            Some(_) => {
                format!("it is a command, whose main nobody calls, and exports none of {all}")
            }
            None => format!("it exports none of {all}"),
        };
        return Err(format!(
            "it is of no world of millrace:plugin@0.1.0: {what}"
        ));
    };
    match found.find(|(_, _, role)| *role != first.2) {
        Some(other) => Err(format!(
            "it exports {} and {}: a plugin is for one of them",
            full(first.0),
            full(other.0)
        )),
        None => Ok(*first),
    }
}

/// Interfaces of plugins that a component exports as another version of them has them.
fn of_other_versions(component: &Component, engine: &Engine) -> Vec<String> {
    let component = component.component_type();
    let exports = component.exports(engine);
    let of_plugins = exports.filter(|(name, _)| name.starts_with("millrace:plugin/"));
    let others = of_plugins.filter(|(name, _)| !name.contains("@0.1."));
    others.map(|(name, _)| name.to_owned()).collect()
}

fn imports_nothing_of_consumers(
    runtime: &Runtime,
    component: &Component,
    world: &str,
) -> Result<(), String> {
    let component = component.component_type();
    for (import, _) in component.imports(&runtime.engine) {
        if OF_CONSUMERS.iter().any(|it| import == full(it)) {
            return Err(format!(
                "it imports {import}, which the world {world} does not have: only consumers do"
            ));
        }
    }
    Ok(())
}

fn exports(component: &Component, interface: &str) -> bool {
    component.get_export_index(None, full(interface)).is_some()
}

fn full(interface: &str) -> String {
    format!("millrace:plugin/{interface}@0.1.0")
}
