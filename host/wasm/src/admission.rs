//! What a component must be before it is compiled. A compiler's time and memory can grow much
//! faster than its input, so everything that can be counted in one pass over the file is counted
//! first, and what a plugin may not import is refused by name.

use wasmparser::{
    CanonicalFunction, CanonicalOption, Encoding, FunctionBody, Operator, Parser, Payload, TypeRef,
};
use wasmtime::Engine;

use crate::census::{Census, Counted, IMPORTS_LISTED_MAX, Import};
use crate::imports::{self, Forbidden};

/// Modules and components within a component, itself included.
const PARTS_MAX: u64 = 64;
/// How deep they may lie in each other.
const DEPTH_MAX: usize = 4;
/// Functions of all parts together.
const FUNCTIONS_MAX: u64 = 20_000;
/// Types of all parts together.
const TYPES_MAX: u64 = 10_000;
/// Imports, and exports, of all parts together.
const IMPORTS_MAX: u64 = 8_192;
const EXPORTS_MAX: u64 = 8_192;
/// Globals, data segments and element segments of all parts together, each.
const SEGMENTS_MAX: u64 = 10_000;
/// Instances and aliases that a component declares.
const INSTANCES_MAX: u64 = 10_000;
/// Bytes of one function's body.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Locals of one function.
const LOCALS_MAX: u64 = 10_000;
/// Blocks, loops and conditions that may lie in each other.
const NESTING_MAX: u64 = 1_024;
/// Loops that may lie in each other, which no author writes: the time that registers take to be
/// chosen grows with the cube of it, to seconds for a kilobyte of code.
const LOOPS_MAX: u64 = 32;
/// Targets of one branch table.
const BRANCH_TARGETS_MAX: u32 = 10_000;

/// What is said of a component that waits, with how the tool that makes most of them leaves it out.
const ASYNC: &str = "it uses the async functions of the component model, and a plugin cannot wait \
                     (jco componentize: --backend-qjs-disable-async)";

/// Refuses a file that is no component of a reasonable size and shape.
///
/// # Errors
/// A sentence about what it is, or what there is too much of.
pub(crate) fn admit(file: &[u8]) -> Result<(), String> {
    Counts::default().count(file)
}

/// The same, with what was counted until the end or until the refusal.
pub(crate) fn look(file: &[u8]) -> (Census, Result<(), String>) {
    let mut counts = Counts::default();
    let verdict = counts.count(file);
    (counts.census(), verdict)
}

#[derive(Default)]
struct Counts {
    parts: u64,
    functions: u64,
    types: u64,
    imports: u64,
    exports: u64,
    globals: u64,
    data: u64,
    elements: u64,
    instances: u64,
    /// The most that one function has of each.
    largest: Largest,
    /// What the component itself imports.
    imported: Vec<Import>,
    imported_beyond: u64,
    /// What of it it may not.
    forbidden: Forbidden,
}

/// The most that one function has.
#[derive(Default)]
struct Largest {
    body_bytes: u64,
    locals: u64,
    blocks: u64,
    loops: u64,
    targets: u64,
}

impl Counts {
    /// Counts all that is in a file, up to what there is too much of.
    fn count(&mut self, file: &[u8]) -> Result<(), String> {
        if Engine::detect_precompiled(file).is_some() {
            return Err("it is compiled code; a plugin is a component as it was built".to_owned());
        }
        is_webassembly(file)?;
        let mut open = Vec::new();
        for payload in Parser::new(0).parse_all(file) {
            let payload = payload.map_err(|error| {
                let (at, what) = (error.offset(), error.message());
                if what.starts_with("unexpected end") {
                    format!("byte {at}: {what}: the file is cut off, or not written to its end")
                } else {
                    format!("byte {at}: {what}")
                }
            })?;
            match &payload {
                Payload::Version { encoding, .. } => {
                    if open.is_empty() && *encoding == Encoding::Module {
                        return Err(told_of_module(file).to_owned());
                    }
                    open.push(*encoding);
                    up_to(open.len() as u64, DEPTH_MAX as u64, "levels of parts")?;
                    self.parts += 1;
                    up_to(self.parts, PARTS_MAX, "modules and components")?;
                }
                Payload::End(_) => {
                    open.pop();
                }
                _ => self.add(&payload, open.len() == 1)?,
            }
        }
        if !open.is_empty() {
            return Err("it ends before its end".to_owned());
        }
        self.forbidden.verdict()
    }

    fn census(self) -> Census {
        let counted = |what, count, max| Counted { what, count, max };
        let Largest {
            body_bytes,
            locals,
            blocks,
            loops,
            targets,
        } = self.largest;
        Census {
            counted: vec![
                counted("modules and components", self.parts, PARTS_MAX),
                counted("functions", self.functions, FUNCTIONS_MAX),
                counted("types", self.types, TYPES_MAX),
                counted("imports", self.imports, IMPORTS_MAX),
                counted("exports", self.exports, EXPORTS_MAX),
                counted("globals", self.globals, SEGMENTS_MAX),
                counted("data segments", self.data, SEGMENTS_MAX),
                counted("element segments", self.elements, SEGMENTS_MAX),
                counted("instances and aliases", self.instances, INSTANCES_MAX),
                counted("bytes in one function", body_bytes, BODY_BYTES_MAX as u64),
                counted("locals in one function", locals, LOCALS_MAX),
                counted("blocks in each other", blocks, NESTING_MAX),
                counted("loops in each other", loops, LOOPS_MAX),
                counted("targets of a branch", targets, BRANCH_TARGETS_MAX.into()),
            ],
            imports: self.imported,
            imports_left_out: self.imported_beyond,
        }
    }

    fn note_import(&mut self, name: &str) {
        self.forbidden.look(name);
        if self.imported.len() < IMPORTS_LISTED_MAX {
            self.imported.push(Import {
                name: imports::shown(name),
                access: imports::access(name),
            });
        } else {
            self.imported_beyond += 1;
        }
    }

    /// Counts what a section holds; `is_outermost` when it is one of the component itself.
    fn add(&mut self, payload: &Payload<'_>, is_outermost: bool) -> Result<(), String> {
        let (count, more, max, what) = match payload {
            Payload::TypeSection(s) => (&mut self.types, s.count(), TYPES_MAX, "types"),
            Payload::ComponentTypeSection(s) => (&mut self.types, s.count(), TYPES_MAX, "types"),
            Payload::CoreTypeSection(s) => (&mut self.types, s.count(), TYPES_MAX, "types"),
            Payload::FunctionSection(s) => {
                (&mut self.functions, s.count(), FUNCTIONS_MAX, "functions")
            }
            Payload::ComponentCanonicalSection(s) => {
                for function in s.clone() {
                    check_canonical(&function.map_err(malformed)?)?;
                }
                (&mut self.functions, s.count(), FUNCTIONS_MAX, "functions")
            }
            Payload::ImportSection(s) => {
                for import in s.clone().into_imports() {
                    let import = import.map_err(malformed)?;
                    if matches!(import.ty, TypeRef::Memory(memory) if memory.shared) {
                        return Err("it shares its memory between threads".to_owned());
                    }
                }
                (&mut self.imports, s.count(), IMPORTS_MAX, "imports")
            }
            Payload::ComponentImportSection(s) => {
                if is_outermost {
                    for import in s.clone() {
                        let import = import.map_err(malformed)?;
                        self.note_import(import.name.name);
                    }
                }
                (&mut self.imports, s.count(), IMPORTS_MAX, "imports")
            }
            Payload::ExportSection(s) => (&mut self.exports, s.count(), EXPORTS_MAX, "exports"),
            Payload::ComponentExportSection(s) => {
                (&mut self.exports, s.count(), EXPORTS_MAX, "exports")
            }
            Payload::GlobalSection(s) => (&mut self.globals, s.count(), SEGMENTS_MAX, "globals"),
            Payload::DataSection(s) => (&mut self.data, s.count(), SEGMENTS_MAX, "data segments"),
            Payload::ElementSection(s) => (
                &mut self.elements,
                s.count(),
                SEGMENTS_MAX,
                "element segments",
            ),
            Payload::InstanceSection(s) => {
                (&mut self.instances, s.count(), INSTANCES_MAX, "instances")
            }
            Payload::ComponentInstanceSection(s) => {
                (&mut self.instances, s.count(), INSTANCES_MAX, "instances")
            }
            Payload::ComponentAliasSection(s) => {
                (&mut self.instances, s.count(), INSTANCES_MAX, "aliases")
            }
            Payload::CodeSectionEntry(body) => return self.largest.look(body),
            _ => return Ok(()),
        };
        *count += u64::from(more);
        up_to(*count, max, what)
    }
}

/// Refuses what waits: tasks, streams, futures and threads of the component model. A call is made
/// from beginning to end on one thread, and no deadline reaches a guest that waits in the host.
fn check_canonical(function: &CanonicalFunction) -> Result<(), String> {
    let waits = match function {
        CanonicalFunction::Lift { options, .. } | CanonicalFunction::Lower { options, .. } => {
            let mut options = options.iter();
            options.any(|it| matches!(it, CanonicalOption::Async | CanonicalOption::Callback(_)))
        }
        CanonicalFunction::ResourceNew { .. }
        | CanonicalFunction::ResourceDrop { .. }
        | CanonicalFunction::ResourceRep { .. } => false,
        _ => true,
    };
    if waits {
        return Err(ASYNC.to_owned());
    }
    Ok(())
}

impl Largest {
    /// Looks at one function, which must not have too much of anything.
    fn look(&mut self, body: &FunctionBody<'_>) -> Result<(), String> {
        let length = body.range().len();
        self.body_bytes = self.body_bytes.max(length as u64);
        if length > BODY_BYTES_MAX {
            return Err(format!(
                "a function of {length} bytes, more than {BODY_BYTES_MAX}"
            ));
        }
        let mut locals = 0;
        for group in body.get_locals_reader().map_err(malformed)? {
            locals += u64::from(group.map_err(malformed)?.0);
            self.locals = self.locals.max(locals);
            up_to(locals, LOCALS_MAX, "locals in one function")?;
        }
        // Whether each block that is open is a loop.
        let mut open = Vec::new();
        let mut loops = 0;
        for operator in body.get_operators_reader().map_err(malformed)? {
            let operator = operator.map_err(malformed)?;
            match &operator {
                Operator::Block { .. }
                | Operator::Loop { .. }
                | Operator::If { .. }
                | Operator::TryTable { .. } => {
                    let is_loop = matches!(operator, Operator::Loop { .. });
                    open.push(is_loop);
                    loops += u64::from(is_loop);
                    self.blocks = self.blocks.max(open.len() as u64);
                    self.loops = self.loops.max(loops);
                    up_to(open.len() as u64, NESTING_MAX, "blocks in each other")?;
                    up_to(loops, LOOPS_MAX, "loops in each other")?;
                }
                Operator::End => loops -= u64::from(open.pop() == Some(true)),
                Operator::BrTable { targets } => {
                    let (count, most) = (u64::from(targets.len()), u64::from(BRANCH_TARGETS_MAX));
                    self.targets = self.targets.max(count);
                    up_to(count, most, "targets of a branch")?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// What is said of a core module.
fn told_of_module(file: &[u8]) -> &'static str {
    const PREVIEW_1: &[u8] = b"wasi_snapshot_preview1";
    let mut parts = file.windows(PREVIEW_1.len());
    if parts.any(|part| part == PREVIEW_1) {
        "it is a core module of WASI preview 1, not a component: build it for wasm32-wasip2, or \
         make a component of it with the adapter (`wasm-tools component new --adapt`)"
    } else {
        "it is a core module, not a component: build it for wasm32-wasip2"
    }
}

/// Says of a file that is something else what that may be.
fn is_webassembly(file: &[u8]) -> Result<(), String> {
    const MAGIC: &[u8] = b"\0asm";
    let what = match file {
        [] => "it is empty: its build wrote nothing",
        file if MAGIC.starts_with(file) || file.starts_with(MAGIC) => return Ok(()),
        [0x1f, 0x8b, ..] => "it is compressed by gzip: a component lies there as it was built",
        [b'P', b'K', ..] => "it is an archive: a component lies there as it was built",
        [b'(', ..] => "it is the text of WebAssembly: `wasm-tools parse` makes a component of it",
        _ => "it is no WebAssembly: a component is what `millrace plugin build` makes",
    };
    Err(format!("byte 0: {what}"))
}

fn up_to(count: u64, max: u64, what: &str) -> Result<(), String> {
    if count > max {
        return Err(format!("it has more than {max} {what}"));
    }
    Ok(())
}

fn malformed(error: wasmparser::BinaryReaderError) -> String {
    // Some go on with a dump of what was expected; one that says nothing still has its place.
    let what = error.message().lines().next().unwrap_or_default();
    format!("byte {}: {what}", error.offset())
}
