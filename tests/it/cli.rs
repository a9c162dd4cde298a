//! The program as a user runs it: exit codes, messages, streams.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use serde_json::Value;

use crate::{
    cases::of_type,
    determinism::gzip,
    frames::{self, Timed, client_hello, connection, dns_question, pcap_of_link, udp, write},
    replay::{pcap, root},
    schema::assert_valid,
};

/// What one run of the program gave.
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Run {
    /// Events on the standard output.
    fn events(&self) -> Vec<Value> {
        self.out.lines().map(assert_valid).collect()
    }

    /// Fails unless the program refused with one line on standard error, and nothing else, that has all `words`.
    #[track_caller]
    fn assert_refused(&self, words: &[&str]) {
        self.assert_exit(2);
        assert_eq!(self.out, "", "nothing was found, and nothing is printed");
        let line = self.err.strip_suffix('\n').unwrap_or_else(|| panic!("no line: {:?}", self.err));
        assert!(line.starts_with("callhome: ") && !line.contains('\n'), "one line: {line}");
        for word in words {
            assert!(line.contains(word), "{word:?} is not in {line:?}");
        }
    }

    #[track_caller]
    fn assert_exit(&self, code: i32) {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
    }
}

pub fn command(arguments: &[&dyn AsRef<OsStr>]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callhome"));
    command.args(arguments.iter().map(AsRef::as_ref));
    command.env_remove("NO_COLOR").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn replay(arguments: &[&dyn AsRef<OsStr>]) -> Run {
    let mut all: Vec<&dyn AsRef<OsStr>> = vec![&"replay"];
    all.extend_from_slice(arguments);
    finish(command(&all).spawn().unwrap())
}

/// Replays with `input` on the standard input.
fn replay_from_pipe(arguments: &[&dyn AsRef<OsStr>], input: &[u8]) -> Run {
    let mut all: Vec<&dyn AsRef<OsStr>> = vec![&"replay"];
    all.extend_from_slice(arguments);
    let mut child = command(&all).stdin(Stdio::piped()).spawn().unwrap();
    let (mut pipe, input) = (child.stdin.take().unwrap(), input.to_vec());
    let writer = thread::spawn(move || {
        // A program that has read enough closes the pipe.
        let _ = pipe.write_all(&input);
    });
    let run = finish(child);
    writer.join().unwrap();
    run
}

fn finish(child: Child) -> Run {
    let output = child.wait_with_output().unwrap();
    Run {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("what is printed is UTF-8"),
        err: String::from_utf8(output.stderr).expect("what is printed is UTF-8"),
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

// ---- exit codes ----------------------------------------------------------------------------------

#[test]
fn findings_fail_only_where_told_to() {
    let (attack, job) = (pcap("axios-stage-fetched.pcap"), pcap("background-github-job.pcap"));
    let exposed = pcap("axios-http-mirror-only.pcap");
    replay(&[&attack]).assert_exit(0);
    replay(&[&attack, &"--fail-on", &"critical"]).assert_exit(1);
    replay(&[&attack, &"--fail-on", &"info"]).assert_exit(1);
    // Two findings of high severity, none above.
    replay(&[&exposed, &"--fail-on", &"high"]).assert_exit(1);
    replay(&[&exposed, &"--fail-on", &"critical"]).assert_exit(0);
    replay(&[&job, &"--fail-on", &"info"]).assert_exit(0);
    // An error is an error, whatever was asked.
    replay(&[&"missing.pcap", &"--fail-on", &"info"]).assert_exit(2);
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_read() {
    let capture = pcap("dns-41.pcap");
    for (arguments, named) in [
        (vec!["--frobnicate"], "--frobnicate"),
        (vec!["--threads", "0"], "--threads"),
        (vec!["--threads", "many"], "--threads"),
        (vec!["--records"], "--json"),
        (vec!["--as-of", "tomorrow"], "tomorrow"),
        (vec!["--fail-on", "bad"], "bad"),
    ] {
        let mut all: Vec<&dyn AsRef<OsStr>> = vec![&capture];
        all.extend(arguments.iter().map(|argument| argument as &dyn AsRef<OsStr>));
        let run = replay(&all);
        run.assert_exit(2);
        assert_eq!(run.out, "", "{arguments:?}");
        assert!(run.err.starts_with("error: ") && run.err.contains(named), "{arguments:?}: {}", run.err);
    }
    let run = replay(&[]);
    run.assert_exit(2);
    assert!(run.err.contains("<PATH>"), "{}", run.err);
}

// ---- inputs that are none ------------------------------------------------------------------------

#[test]
fn an_input_that_is_none_is_one_line_with_its_reason() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    replay(&[&at("missing.pcap")]).assert_refused(&["missing.pcap", "cannot be opened", "No such file"]);
    fs::create_dir(at("hollow")).unwrap();
    replay(&[&at("hollow")]).assert_refused(&["hollow", "holds no files"]);
    let text = write(folder.path(), "notes.pcap", b"Dear diary,\nnothing was captured today.\n");
    replay(&[&text]).assert_refused(&["notes.pcap", "text", "name a pcap or pcapng file"]);
    let empty = write(folder.path(), "empty.pcap", b"");
    replay(&[&empty]).assert_refused(&["empty.pcap", "empty"]);
    let whole = fs::read(pcap("dns-41.pcap")).unwrap();
    let stump = write(folder.path(), "stump.pcap", &whole[..20]);
    replay(&[&stump]).assert_refused(&["stump.pcap", "20 of 24 bytes"]);
    let ibm = write(folder.path(), "ring.pcap", &pcap_of_link(6, &[Timed::at(0, vec![0; 60])]));
    replay(&[&ibm]).assert_refused(&["ring.pcap", "byte 24", "link type 6", "1 frame not read", "instead"]);
    replay_from_pipe(&[&"-"], b"").assert_refused(&["-", "empty"]);
}

#[test]
fn a_cut_file_gives_what_is_before_the_cut_and_one_line() {
    let folder = folder();
    let whole = fs::read(pcap("dns-41.pcap")).unwrap();
    let cut = write(folder.path(), "cut.pcap", &whole[..1_000]);
    let run = replay(&[&cut, &"--json", &"-", &"--records"]);
    run.assert_exit(0);
    assert!(of_type(&run.events(), "dns").count() > 3);
    let notices: Vec<_> = run.err.lines().filter(|line| line.contains("notice")).collect();
    assert!(
        matches!(notices[..], [line] if line.contains("cut.pcap") && line.contains("byte")),
        "{notices:?}"
    );
    assert!(run.err.contains("in the middle of a record"), "{}", run.err);

    // Cut in the compressed stream: the same, told of the same file.
    let packed = gzip(&whole);
    let cut = write(folder.path(), "cut.pcap.gz", &packed[..packed.len() / 2]);
    let run = replay(&[&cut, &"--json", &"-", &"--records"]);
    run.assert_exit(0);
    assert!(of_type(&run.events(), "dns").count() > 3);
    assert!(run.err.contains("notice") && run.err.contains("cut.pcap.gz"), "{}", run.err);
}

#[test]
fn in_a_folder_the_captures_are_read_and_the_rest_is_told() {
    let folder = folder();
    fs::create_dir_all(folder.path().join("deep/deeper")).unwrap();
    fs::copy(pcap("dns-41.pcap"), folder.path().join("deep/deeper/dns")).unwrap();
    write(folder.path(), "notes.txt", b"no capture\n");
    write(folder.path(), "ring.pcap", &pcap_of_link(6, &vec![Timed::at(0, vec![0; 60]); 3]));
    let run = replay(&[&folder.path(), &"--json", &"-", &"--records"]);
    run.assert_exit(0);
    assert_eq!(of_type(&run.events(), "dns").count(), 82);
    let told = run.err.replace("\n            ", " ");
    assert!(told.contains("notes.txt: not a capture but text"), "{told}");
    assert!(told.contains("link type 6 is not supported: 3 frames not read"), "{told}");
    // One that is missing does not hide those that are there.
    let run = replay(&[&folder.path().join("missing.pcap"), &pcap("dns-41.pcap")]);
    run.assert_exit(0);
    assert!(
        run.out.contains("missing.pcap: cannot be opened") && run.out.contains("82 packets"),
        "{}",
        run.out
    );
}

#[test]
fn a_folder_that_may_not_be_read_is_told() {
    let folder = folder();
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    write(&closed, "a.pcap", b"");
    let mut permissions = fs::metadata(&closed).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o000);
    fs::set_permissions(&closed, permissions.clone()).unwrap();
    if fs::read_dir(&closed).is_ok() {
        return eprintln!("skipped: root may read everything");
    }
    let run = replay(&[&closed]);
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o700);
    fs::set_permissions(&closed, permissions).unwrap();
    run.assert_refused(&["closed", "ermission denied"]);
}

// ---- settings and indicators -----------------------------------------------------------------------

#[test]
fn settings_that_are_wrong_are_named_by_line() {
    let folder = folder();
    let capture = pcap("dns-41.pcap");
    for (text, line, reason) in [
        ("home_networks = [\n", ":1: ", "array"),
        ("\n\nnonsense = 1\n", ":3: ", "unknown field `nonsense`"),
        ("\nhome_networks = [\"10.0.0.0/99\"]\n", ":2: ", "IP address"),
        ("community_id_seed = 70000\n", ":1: ", "70000"),
        ("[[asset]]\nlabel = \"no network\"\n", ":1: ", "cidr"),
    ] {
        let file = write(folder.path(), "callhome.toml", text.as_bytes());
        replay(&[&capture, &"--config", &file]).assert_refused(&["callhome.toml", line, reason]);
    }
    let missing = folder.path().join("missing.toml");
    replay(&[&capture, &"--config", &missing]).assert_refused(&["missing.toml", "cannot be read"]);
    replay(&[&capture, &"--filter", &"udp and and"]).assert_refused(&[
        "--filter",
        "udp and and",
        "syntax error",
    ]);
}

#[test]
fn settings_label_machines_and_say_which_are_ours() {
    let folder = folder();
    let text = "home_networks = [\"10.1.0.0/16\"]\n[[asset]]\ncidr = \"10.1.0.0/24\"\nlabel = \"runner pool\"\ngroup = \"ci\"\n";
    let file = write(folder.path(), "callhome.toml", text.as_bytes());
    let run = replay(&[&pcap("axios-stage-resolved.pcap"), &"--config", &file, &"--json", &"-"]);
    run.assert_exit(0);
    let events = run.events();
    let incident = of_type(&events, "incident").last().unwrap();
    assert_eq!(incident["incident"]["asset"]["label"], "runner pool");
    assert!(run.err.contains("runner pool"), "{}", run.err);
}

#[test]
fn an_indicator_file_that_is_broken_stops_the_run() {
    let folder = folder();
    let capture = pcap("dns-41.pcap");
    let missing = folder.path().join("missing.txt");
    replay(&[&capture, &"--indicators", &missing]).assert_refused(&["missing.txt", "cannot be read"]);
    let broken = write(folder.path(), "broken.toml", b"[pack]\nid = 3\n");
    replay(&[&capture, &"--indicators", &broken]).assert_refused(&["broken.toml", "line 2", "id"]);
}

#[test]
fn entries_that_are_not_taken_are_told_and_the_others_work() {
    let folder = folder();
    let list = b"www.example.com\nnot a name!\n\x1b[31mred\xff\xfe.example\n203.0.113.999\n";
    let list = write(folder.path(), "list.txt", list);
    let run = replay(&[&pcap("dns-41.pcap"), &"--indicators", &list, &"--fail-on", &"info"]);
    run.assert_exit(1);
    assert!(run.out.contains("www.example.com"), "{}", run.out);
    for line in [":2: ", ":3: "] {
        assert!(run.err.lines().any(|told| told.contains("list.txt") && told.contains(line)), "{}", run.err);
    }
    assert_harmless(&run.err);
}

#[test]
fn an_indicator_counts_at_the_time_that_is_asked_for() {
    let folder = folder();
    let pack = |from: &str, until: &str| {
        format!(
            "[pack]\nid = \"t\"\ntitle = \"t\"\ncampaign = \"t\"\ndescription = \"t\"\nupdated = 2020-01-01\n\
             [pack.references]\nS = \"https://example.org/\"\n[[indicator]]\nvalue = \"c2.example\"\nkind = \"domain\"\n\
             source = [\"S\"]\nconfidence = 90\nseverity = \"high\"\nvalid_from = {from}\nvalid_until = {until}\n"
        )
    };
    let old = write(folder.path(), "old.toml", pack("2018-01-01", "2020-01-01").as_bytes());
    let standing = write(folder.path(), "standing.toml", pack("2020-01-01", "2999-01-01").as_bytes());
    // A question of 2019-06-01.
    let question = udp("10.0.0.5:40000", "10.0.0.2:53", &dns_question(1, &[b"c2", b"example"]));
    let frame = Timed::at(1_559_390_400_000_000_000, question);
    let capture = write(folder.path(), "question.pcap", &frames::pcap(&[frame]));
    let alerts = |file: &Path, as_of: &str| {
        let run = replay(&[&capture, &"--indicators", &file, &"--as-of", &as_of, &"--json", &"-"]);
        run.assert_exit(0);
        let expired = |event: &Value| event["callhome"]["indicator"]["expired"].clone();
        of_type(&run.events(), "alert").map(expired).collect::<Vec<_>>()
    };
    assert_eq!(alerts(&old, "packet"), [false]);
    assert!(alerts(&old, "now").is_empty(), "nobody holds it true any more");
    assert!(alerts(&standing, "packet").is_empty(), "nobody knew of it then");
    assert_eq!(alerts(&standing, "now"), [false]);
    assert_eq!(alerts(&old, "any").len(), 1);
    assert_eq!(alerts(&standing, "any").len(), 1);
}

#[test]
fn a_filter_leaves_out_what_it_does_not_match() {
    let run = replay(&[&pcap("axios-linux-runner.pcap"), &"--filter", &"udp port 53", &"--json", &"-"]);
    run.assert_exit(0);
    let events = run.events();
    let incident = &of_type(&events, "incident").last().unwrap()["incident"];
    assert_eq!(incident["verdict"], "looked_up", "the connections were not looked at");
    let stats = &of_type(&events, "stats").next().unwrap()["stats"]["decoder"];
    assert!(stats["filtered"].as_u64() > Some(500), "{stats:#}");
    assert_eq!(stats["tcp"], 0);
}

#[test]
fn the_built_in_packs_and_their_folder_say_the_same() {
    let capture = pcap("axios-linux-runner.pcap");
    let built_in = replay(&[&capture, &"--json", &"-"]);
    let folder = replay(&[&capture, &"--json", &"-", &"--indicators", &root().join("signatures")]);
    folder.assert_exit(0);
    assert_eq!(folder.out, built_in.out);
    assert_eq!(folder.err, built_in.err, "and nothing of the folder is refused");
}

// ---- streams -------------------------------------------------------------------------------------

#[test]
fn events_go_to_one_stream_and_the_summary_to_the_other() {
    let capture = pcap("axios-stage-fetched.pcap");
    let run = replay(&[&capture, &"--json", &"-"]);
    run.assert_exit(0);
    assert!(run.events().len() > 5);
    assert!(run.err.starts_with("1 of ") && run.err.contains("EXECUTED"), "{}", run.err);

    let folder = folder();
    let file = folder.path().join("events.json");
    let to_file = replay(&[&capture, &"--json", &file]);
    to_file.assert_exit(0);
    assert_eq!(fs::read_to_string(&file).unwrap(), run.out, "the same events");
    assert_eq!(to_file.out, run.err, "the same summary");
    assert_eq!(to_file.err, "", "all is well: nothing to say");
    // A second run writes the file anew.
    replay(&[&capture, &"--json", &file]).assert_exit(0);
    assert_eq!(fs::read_to_string(&file).unwrap(), run.out);
}

#[test]
fn an_input_is_never_written_over() {
    let folder = folder();
    let whole = fs::read(pcap("dns-41.pcap")).unwrap();
    let capture = write(folder.path(), "mine.pcap", &whole);
    let link = folder.path().join("link.json");
    std::os::unix::fs::symlink(&capture, &link).unwrap();
    for json in [
        &capture,
        &link,
        &folder.path().join("../").join(folder.path().file_name().unwrap()).join("mine.pcap"),
    ] {
        replay(&[&capture, &"--json", json]).assert_refused(&["left untouched", "--json"]);
        replay(&[&folder.path(), &"--json", json]).assert_refused(&["left untouched", "--json"]);
        assert_eq!(fs::read(&capture).unwrap(), whole);
    }
}

#[test]
fn events_that_cannot_be_written_are_an_error() {
    let capture = pcap("axios-linux-runner.pcap");
    let folder = folder();
    replay(&[&capture, &"--json", &folder.path()]).assert_refused(&["directory", "--json"]);
    let nowhere = folder.path().join("nowhere/events.json");
    replay(&[&capture, &"--json", &nowhere]).assert_refused(&["nowhere", "No such file", "--json"]);
    if !Path::new("/dev/full").exists() {
        return eprintln!("skipped: no /dev/full");
    }
    replay(&[&capture, &"--json", &"/dev/full", &"--records"])
        .assert_refused(&["/dev/full", "No space left"]);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let run = command(&[&"replay", &capture, &"--json", &"-", &"--records"]).stdout(full).output().unwrap();
    assert_eq!(run.status.code(), Some(2));
    let told = String::from_utf8(run.stderr).unwrap();
    assert!(told.contains("No space left") && !told.contains("panicked"), "{told}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    // Far more events than a pipe holds.
    let all = root().join("pcaps");
    let arguments: [&dyn AsRef<OsStr>; 5] = [&"replay", &all, &"--json", &"-", &"--records"];
    let mut child = command(&arguments).spawn().unwrap();
    let mut first = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut first).unwrap();
    assert_valid(first.trim_end());
    drop(out);
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{told}");
    assert!(!told.contains("panicked") && !told.contains("roken pipe"), "{told}");

    // A summary that nobody reads.
    let mut child = command(&[&"replay", &all]).spawn().unwrap();
    drop(child.stdout.take());
    let run = finish(child);
    run.assert_exit(0);
    assert_eq!(run.err, "");
}

#[test]
fn a_pipe_is_an_input_in_every_format() {
    let expected = replay(&[&pcap("dns-41.pcap"), &"--json", &"-", &"--records"]).out;
    for name in [
        "dns-41.pcap",
        "dns-41.pcapng",
        "dns-41.pcap.zst",
        "dns-41.pcap.gz",
        "dns-41.pcap.xz",
        "dns-41.pcap.lz4",
    ] {
        let run = replay_from_pipe(&[&"-", &"--json", &"-", &"--records"], &fs::read(pcap(name)).unwrap());
        run.assert_exit(0);
        assert_eq!(run.out, expected, "{name}");
    }
}

#[test]
fn a_named_pipe_is_read_where_it_is_named_and_does_not_stop_a_folder() {
    let folder = folder();
    let pipe = folder.path().join("pipe");
    if !Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
        return eprintln!("skipped: no mkfifo(1)");
    }
    fs::copy(pcap("dns-41.pcap"), folder.path().join("dns")).unwrap();
    std::os::unix::fs::symlink(".", folder.path().join("loop")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).unwrap();
    // Nobody writes into the pipe: opening it would wait for ever.
    let run = replay(&[&folder.path()]);
    run.assert_exit(0);
    let told = run.out.replace("\n            ", " ");
    assert!(told.contains("82 packets") && told.contains("pipe: not a file that can be read"), "{told}");
    assert!(told.contains("dangling: cannot be opened"), "{told}");

    // As the shell's <(...) gives it.
    let (writer_end, bytes) = (pipe.clone(), fs::read(pcap("dns-41.pcap.zst")).unwrap());
    let writer = thread::spawn(move || fs::write(writer_end, bytes));
    let run = replay(&[&pipe]);
    writer.join().unwrap().unwrap();
    run.assert_exit(0);
    assert!(run.out.contains("82 packets"), "{}", run.out);
}

#[test]
fn inputs_that_overlap_are_one_timeline() {
    // Two taps, each with one direction: together they are the whole conversation.
    let sides = [pcap("axios-linux-client-side.pcap"), pcap("axios-linux-server-side.pcap")];
    let verdict = |inputs: &[PathBuf]| {
        let mut arguments: Vec<&dyn AsRef<OsStr>> =
            inputs.iter().map(|path| path as &dyn AsRef<OsStr>).collect();
        arguments.extend([&"--json" as &dyn AsRef<OsStr>, &"-"]);
        let run = replay(&arguments);
        run.assert_exit(0);
        let events = run.events();
        of_type(&events, "incident").last().unwrap()["incident"].clone()
    };
    let both = verdict(&sides);
    let executed = both["rungs"].as_array().unwrap().iter().find(|rung| rung["rung"] == "executed").unwrap();
    assert!(executed["evidence"].to_string().contains("A second stage was delivered"), "{executed:#}");
    assert!(!both["unseen"].to_string().contains("only what it"), "{:#}", both["unseen"]);
    let [client, server] = sides;
    assert_eq!(verdict(&[server, client.clone()]), both, "in either order");
    // The same file twice is one file, and told.
    let run = replay(&[&client, &client]);
    assert!(run.out.contains("it is read once") && run.out.contains("114 packets"), "{}", run.out);
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let capture = pcap("axios-stage-fetched.pcap");
    assert!(!replay(&[&capture]).out.contains('\x1b'), "a pipe is no terminal");
    let in_terminal = |no_colour: &str| {
        // util-linux' script gives the program a terminal.
        let line = format!("'{}' replay '{}' 2>/dev/null", env!("CARGO_BIN_EXE_callhome"), capture.display());
        let run =
            Command::new("script").args(["-qec", &line, "/dev/null"]).env("NO_COLOR", no_colour).output();
        run.ok().filter(|run| run.status.success()).map(|run| String::from_utf8(run.stdout).unwrap())
    };
    match (in_terminal(""), in_terminal("1")) {
        (Some(coloured), Some(plain)) => {
            assert!(coloured.contains("\x1b[") && coloured.contains("EXECUTED"), "{coloured:?}");
            assert!(!plain.contains('\x1b') && plain.contains("EXECUTED"), "{plain:?}");
        }
        _ => eprintln!("skipped: no script(1)"),
    }
}

// ---- hostile strings -------------------------------------------------------------------------------

/// What a terminal must never get: controls, C1 controls, and marks that reorder text.
fn is_harmful(character: char) -> bool {
    character.is_control() && character != '\n'
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(character, '\u{2028}' | '\u{2029}')
}

#[track_caller]
fn assert_harmless(text: &str) {
    let found: Vec<_> = text.char_indices().filter(|(_, one)| is_harmful(*one)).collect();
    assert!(found.is_empty(), "{found:?} in {text:?}");
}

#[track_caller]
fn assert_harmless_value(value: &Value) {
    match value {
        Value::String(text) => assert_harmless(&text.replace('\n', "\u{1b}")),
        Value::Array(values) => values.iter().for_each(assert_harmless_value),
        Value::Object(fields) => fields.iter().for_each(|(key, value)| {
            assert_harmless(key);
            assert_harmless_value(value);
        }),
        _ => {}
    }
}

#[test]
fn strings_from_the_wire_reach_neither_terminal_nor_reader_raw() {
    // Clear the screen, a bell, a line break with a forged event, a C1 control, text turned around, broken UTF-8.
    let hostile: &[u8] =
        b"\x1b[2J\x07\r\n{\"event_type\":\"alert\"}\xc2\x9b31m\xe2\x80\xae\xff\xfe\x7f\x00\"\\";
    let label = &hostile[..8];
    let mut frames = Vec::new();
    frames.push(udp(
        "10.0.0.5:40000",
        "10.0.0.2:53",
        &dns_question(1, &[label, &hostile[8..30], b"sfrclak", b"com"]),
    ));
    frames.push(udp("10.0.0.5:40001", "10.0.0.2:53", &dns_question(2, &[&hostile[20..], b"example"])));
    // No line break in a field's value: there HTTP itself ends it.
    let field: Vec<u8> = hostile.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    let request = [
        b"POST /6202033 HTTP/1.1\r\nHost: ",
        &field[..],
        b".sfrclak.com:8000\r\nUser-Agent: ",
        &field,
        b"\r\nContent-Length: 25\r\n\r\npackages.npm.org/product2",
    ]
    .concat();
    let response =
        [b"HTTP/1.1 200 ".as_slice(), &field, b"\r\nServer: ", &field, b"\r\nContent-Length: 0\r\n\r\n"]
            .concat();
    frames.extend(connection("10.0.0.5:50000", "142.11.206.73:8000", &request, &response));
    frames.extend(connection("10.0.0.5:50001", "142.11.206.73:443", &client_hello(hostile), b""));
    let start = 1_774_920_000_000_000_000;
    let timed: Vec<_> = frames
        .into_iter()
        .enumerate()
        .map(|(number, frame)| Timed::at(start + number as i64 * 1_000_000, frame))
        .collect();
    let folder = folder();
    let capture = write(folder.path(), "hostile.pcap", &frames::pcap(&timed));

    let run = replay(&[&capture, &"--json", &"-", &"--records"]);
    run.assert_exit(0);
    assert_harmless(&run.err);
    let events = run.events();
    events.iter().for_each(assert_harmless_value);
    assert_harmless(&run.out);
    // They are told all the same: what is harmful stands there escaped.
    for kind in ["dns", "http", "tls", "alert", "incident"] {
        assert!(of_type(&events, kind).next().is_some(), "no {kind}");
    }
    assert!(of_type(&events, "alert").all(|alert| alert["src_ip"] == "10.0.0.5"), "no forged event");
    assert!(run.err.contains("sfrclak.com") && run.err.contains("CONTACTED"), "{}", run.err);
    let agent =
        of_type(&events, "http").next().unwrap()["http"]["http_user_agent"].as_str().unwrap().to_owned();
    assert!(agent.contains("[2J") && agent.contains("31m"), "{agent:?}");
}

#[test]
fn names_of_files_reach_no_terminal_raw() {
    let folder = folder();
    let name = "x\u{1b}[2J\u{202e}\u{7}.pcap";
    let file = write(folder.path(), name, b"no capture");
    let run = replay(&[&file]);
    run.assert_refused(&["[2J", "not a capture"]);
    assert_harmless(&run.err);
    fs::copy(pcap("dns-41.pcap"), folder.path().join("y")).unwrap();
    let run = replay(&[&folder.path()]);
    run.assert_exit(0);
    assert!(run.out.contains("[2J"), "{}", run.out);
    assert_harmless(&run.out);
    let named = folder.path().join("z\u{1b}[2J");
    for wrong in [["--indicators"], ["--config"]] {
        let run = replay(&[&folder.path().join("y"), &wrong[0], &named]);
        run.assert_exit(2);
        assert_harmless(&run.err);
    }
    let run = replay(&[&folder.path().join("y"), &"--json", &named.join("events")]);
    run.assert_exit(2);
    assert_harmless(&run.err);
}
