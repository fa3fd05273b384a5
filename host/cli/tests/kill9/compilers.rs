//! The real server beside the process that compiles for it: what that process may cost, and when it
//! ends.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use base64_simd::STANDARD;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::deliveries::wait_until_active;
use crate::server::{Connection, Server, text};

const MILLRACE: &str = env!("CARGO_BIN_EXE_millrace");
const VICTIM: &str = "parse-access-log";
/// Questions until something has become what it should be, at most.
const TURNS_MAX: usize = 1_000_000;
/// Seconds until a process that should end fails its test. Compiling a bomb takes longer.
const END_SECONDS: i64 = 20;

/// A data directory, a plugins directory and a configuration file.
struct Ground(TempDir);

impl Ground {
    /// With these lines of `[plugin_limits]`.
    fn new(limits: &str) -> Self {
        let ground = Self(tempfile::tempdir().unwrap());
        fs::create_dir(ground.plugins()).unwrap();
        ground.limit(limits);
        ground
    }

    fn limit(&self, limits: &str) {
        fs::write(self.config(), format!("[plugin_limits]\n{limits}\n")).unwrap();
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn plugins(&self) -> PathBuf {
        self.0.path().join("plugins")
    }

    fn config(&self) -> PathBuf {
        self.0.path().join("millrace.toml")
    }

    fn start(&self) -> Server {
        self.start_as(Path::new(MILLRACE))
    }

    /// Starts a server and waits until what lies in the plugins directory was tried.
    fn start_as(&self, program: &Path) -> Server {
        let config = self.config();
        let more = ["--config", config.to_str().unwrap()];
        let server = Server::start_as(program, &self.data(), Some(&self.plugins()), &more);
        let mut connection = server.connect();
        let is_loading = |plugin: &Value| plugin["state"] == "loading";
        let mut pages = (0..TURNS_MAX).map(|_| connection.page("plugins").unwrap());
        let tried = pages.any(|page| !page["plugins"].as_array().unwrap().iter().any(is_loading));
        assert!(tried, "plugins are loaded for ever");
        server
    }

    /// Starts a server and does not wait for it.
    fn begin(&self) -> Server {
        let config = self.config();
        let more = ["--config", config.to_str().unwrap()];
        let program = Path::new(MILLRACE);
        Server::begin(program, &self.data(), Some(&self.plugins()), &more)
    }

    /// Puts a component there, whole at once.
    fn put(&self, name: &str, component: &[u8]) {
        let staged = self.plugins().join("staged");
        fs::write(&staged, component).unwrap();
        fs::rename(staged, self.plugins().join(format!("{name}.wasm"))).unwrap();
    }

    /// Puts one of the worked examples there.
    fn put_example(&self, name: &str) {
        let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
        let built = plugins.join(format!("{name}/{name}.wasm"));
        self.put(name, &fs::read(built).unwrap());
    }

    /// How many components lie there compiled.
    fn compiled(&self) -> usize {
        let folder = self.data().join("plugins/compiled");
        fs::read_dir(folder).unwrap().count()
    }
}

/// A component that admission has nothing against: `functions` functions of 40,000 conditions, each
/// of which takes a compiler ten seconds.
fn bomb(functions: usize) -> Vec<u8> {
    let condition = "(if (local.get 0) (then (local.set 1 (i32.add (local.get 1) (i32.const 1)))))";
    let body = condition.repeat(40_000);
    let function = format!("(func (param i32) (result i32) (local i32) {body} (local.get 1))");
    let fields = function.repeat(functions);
    wat::parse_str(format!("(component (core module {fields}))")).unwrap()
}

/// The page of a plugin; `Null` while there is none.
fn plugin(connection: &mut Connection, name: &str) -> Value {
    let page = connection.page("plugins").unwrap();
    let mut plugins = page["plugins"].as_array().unwrap().iter();
    let plugin = plugins.find(|plugin| plugin["name"] == name);
    plugin.cloned().unwrap_or_default()
}

/// The page of a plugin once what lies there has been tried.
fn plugin_when_tried(connection: &mut Connection, name: &str) -> Value {
    let mut pages = (0..TURNS_MAX).map(|_| plugin(connection, name));
    let page = pages.find(|page| page["state"] == "running" || page["refused"].is_string());
    page.unwrap()
}

/// The process that compiles for the server, if there is one.
fn compiler(server: &Server) -> Option<Pid> {
    let processes = fs::read_dir("/proc").unwrap();
    let ids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut compilers = ids.filter(|id| is_compiler_of(server, *id));
    compilers.next().and_then(Pid::from_raw)
}

/// Whether a process has read its component and compiles it, for which it has started threads. One
/// that has ended meanwhile does not.
fn is_compiler_of(server: &Server, id: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let words = stat.rsplit_once(") ").map_or("", |(_, words)| words);
    let words: Vec<&str> = words.split(' ').collect();
    let (parent, threads) = (words.get(1), words.get(17));
    let arguments = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
    parent == Some(&server.id().to_string().as_str())
        && arguments.contains("\0compile-worker\0")
        && threads.is_some_and(|threads| *threads != "1")
}

/// The process that compiles, as soon as it does. It is told apart from any that comes after it.
fn compiler_at_work(server: &Server) -> OwnedFd {
    let mut connection = server.connect();
    compiler_while(server, || {
        connection.page("plugins").unwrap();
    })
}

/// The same, while something else is done again and again.
fn compiler_while(server: &Server, mut what: impl FnMut()) -> OwnedFd {
    let mut turns = (0..TURNS_MAX).filter_map(|_| {
        what();
        pidfd_open(compiler(server)?, PidfdFlags::empty()).ok()
    });
    turns.next().unwrap()
}

/// Whether a process ends within some seconds.
fn ends_within(process: &OwnedFd, seconds: i64) -> bool {
    let mut events = [PollFd::new(process, PollFlags::IN)];
    let time = Timespec {
        tv_sec: seconds,
        tv_nsec: 0,
    };
    poll(&mut events, Some(&time)).unwrap() == 1
}

fn create_delivery_stream(connection: &mut Connection) {
    let function = format!("arn:aws:lambda:us-east-1:000000000000:function:{VICTIM}");
    let parameter = json!({"ParameterName": "LambdaArn", "ParameterValue": function});
    let input = json!({
        "DeliveryStreamName": VICTIM,
        "ExtendedS3DestinationConfiguration": {
            "RoleARN": "arn:aws:iam::000000000000:role/delivery",
            "BucketARN": "arn:aws:s3:::logs",
            "ProcessingConfiguration": {
                "Enabled": true,
                "Processors": [{"Type": "Lambda", "Parameters": [parameter]}],
            },
        },
    });
    let created = connection.firehose("CreateDeliveryStream", &input);
    created.expect("the delivery stream is created");
    wait_until_active(connection, VICTIM);
}

/// Puts one line through the victim into an object.
fn deliver(connection: &mut Connection) {
    let line = "192.0.2.7 - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"-\"";
    let record = json!({"Data": STANDARD.encode_to_string(line)});
    let input = json!({"DeliveryStreamName": VICTIM, "Record": record});
    connection.firehose("PutRecord", &input).unwrap();
    let flushed = connection.flush(VICTIM).unwrap();
    assert_eq!(flushed, json!({"delivered": true}));
}

#[test]
fn a_component_that_costs_a_compiler_too_much_is_refused_while_another_delivers() {
    let ground = Ground::new("compile_seconds = 3");
    ground.put_example(VICTIM);
    let server = ground.start();
    let mut connection = server.connect();
    create_delivery_stream(&mut connection);
    ground.put("bomb", &bomb(1));
    let compiler = compiler_at_work(&server);
    deliver(&mut connection);
    assert!(!ends_within(&compiler, 0), "the delivery waited for it");
    let mut delivered = 1;
    let refused = loop {
        deliver(&mut connection);
        delivered += 1;
        assert!(delivered < TURNS_MAX, "the bomb is not refused");
        let bomb = plugin(&mut connection, "bomb");
        if bomb["refused"].is_string() {
            break text(&bomb["refused"]);
        }
    };
    let words = "compile: it took longer than 3 s of processor time (compile_seconds = 3)";
    assert_eq!(refused, words);
    let page = connection.page(&format!("delivery-streams/{VICTIM}"));
    let page = page.unwrap();
    assert_eq!(page["delivered"], delivered, "{page}");
    assert_eq!(ground.compiled(), 1, "the victim and no other");
    server.stop();
}

#[test]
fn a_server_that_is_stopped_ends_the_compiler_and_not_after_it() {
    let ground = Ground::new("compile_seconds = 600");
    let server = ground.start();
    ground.put("bomb", &bomb(16));
    let compiler = compiler_at_work(&server);
    server.stop();
    assert!(ends_within(&compiler, END_SECONDS));
    assert_eq!(ground.compiled(), 0, "it was waited for");
}

/// The server heard of it only when all plugins were compiled: in minutes.
#[test]
fn a_server_that_is_stopped_while_it_starts_ends_the_compiler_and_starts_again_later() {
    let ground = Ground::new("compile_seconds = 600");
    ground.put_example(VICTIM);
    let server = ground.start();
    create_delivery_stream(&mut server.connect());
    server.stop();
    ground.put("bomb", &bomb(16));
    let server = ground.begin();
    let compiler = compiler_while(&server, || {});
    server.stop();
    assert!(ends_within(&compiler, 0), "it outlives the server");
    assert_eq!(ground.compiled(), 1, "it was waited for");
    fs::remove_file(ground.plugins().join("bomb.wasm")).unwrap();
    let server = ground.start();
    deliver(&mut server.connect());
    server.stop();
}

/// A machine without memory ends processes like this, and the plugin was refused for good.
#[test]
fn a_compiler_that_is_killed_is_started_again_after_a_pause() {
    let ground = Ground::new("compile_seconds = 600");
    let server = ground.start();
    ground.put("bomb", &bomb(16));
    let compiler = compiler_at_work(&server);
    pidfd_send_signal(&compiler, Signal::KILL).unwrap();
    let page = plugin_when_tried(&mut server.connect(), "bomb");
    let words = "compile: the compiler ended with signal 9; it will be tried again";
    assert_eq!(page["refused"], words, "{page}");
    compiler_at_work(&server);
    server.stop();
}

#[test]
fn a_server_that_is_killed_leaves_no_compiler_behind() {
    let ground = Ground::new("compile_seconds = 600");
    let server = ground.start();
    ground.put("bomb", &bomb(16));
    let compiler = compiler_at_work(&server);
    server.kill();
    assert!(ends_within(&compiler, END_SECONDS));
}

#[test]
fn a_component_for_which_the_compiler_has_too_little_memory_is_refused() {
    let ground = Ground::new("compile_mib = 128");
    ground.put("bomb", &bomb(1));
    let server = ground.start();
    let page = plugin(&mut server.connect(), "bomb");
    let words = "compile: it needed more than 128 MiB of memory (compile_mib = 128)";
    assert_eq!(page["refused"], words, "{page}");
    server.stop();
}

/// The compiler of another build makes code that the server cannot take.
#[test]
fn a_server_whose_program_was_replaced_compiles_with_its_own() {
    let ground = Ground::new("");
    // A second name of the program, which can only be on the same file system.
    let program = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let name = program.path().join("millrace");
    fs::hard_link(MILLRACE, &name).unwrap();
    let server = ground.start_as(&name);
    fs::remove_file(&name).unwrap();
    fs::write(&name, "another program").unwrap();
    ground.put_example(VICTIM);
    let page = plugin_when_tried(&mut server.connect(), VICTIM);
    assert_eq!(page["state"], "running", "{page}");
    server.stop();
}
