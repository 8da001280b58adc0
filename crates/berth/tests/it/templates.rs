//! Go templates: the same template, typed at both command lines, gives the same output, the same words and the same
//! exit code. Ours adds a hint where it has one.

use std::cell::RefCell;

use crate::host::{BERTH, Cli, Done, Host};

/// What a test looks at: a container with labels, variables, a volume and a health check.
pub(crate) struct Stage {
    host: Host,
    container: String,
    other: String,
    image: String,
    volume: String,
    differences: RefCell<String>,
}

impl Stage {
    pub(crate) fn set() -> Self {
        let host = Host::start(Cli::Ours);
        let image = host.image();
        let [container, other, volume] = ["one", "two", "vol"].map(|what| host.name(what));
        host.run(&["volume", "create", "--label", "k=v", &volume]);
        let mounted = format!("{volume}:/data");
        let flags = ["--label", "a=b", "--label", "c.d=e", "-e", "X=1", "--health-cmd", "true <&>", "-v", &mounted];
        let command = [&image, "sh", "-c", "echo \"<hi> & there\""];
        host.run(&[&["create", "--name", &container], &flags[..], &command].concat());
        host.run(&["create", "--name", &other, &image]);
        Self { host, container, other, image, volume, differences: RefCell::default() }
    }

    /// Runs every template with both command lines and notes where they differ.
    pub(crate) fn same(&self, before: &[&str], templates: &[&str]) {
        for template in templates {
            let args = [before, &[template]].concat();
            let both = || (self.run(BERTH, &args), self.run("docker", &args));
            let (mut ours, mut docker) = both();
            // "1 second ago" may have become two in between.
            for _ in 0..3 {
                if ours != docker {
                    (ours, docker) = both();
                }
            }
            if ours != docker {
                *self.differences.borrow_mut() += &format!("{args:?}\n  berth:  {ours:?}\n  docker: {docker:?}\n");
            }
        }
    }

    /// There must have been none.
    pub(crate) fn none_differed(&self) {
        let differences = self.differences.borrow();
        assert!(differences.is_empty(), "{differences}");
    }

    /// Exit code, standard output, standard error without hints.
    fn run(&self, program: &str, args: &[&str]) -> (i32, String, String) {
        let mut command = std::process::Command::new(program);
        command.env("DOCKER_HOST", self.host.address()).env("DOCKER_CONFIG", self.host.config_dir());
        let done = Done::from(command.args(args).output().unwrap());
        let talk: Vec<&str> = done.err.lines().filter(|line| !line.starts_with("hint: ")).collect();
        (done.code, done.out, talk.join("\n"))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for name in [&self.container, &self.other] {
            self.host.try_run(&["rm", "-f", name]);
        }
        self.host.try_run(&["volume", "rm", &self.volume]);
    }
}

#[test]
fn actions_and_pipelines() {
    let stage = Stage::set();
    stage.same(
        &["container", "inspect", &stage.container, "-f"],
        &[
            "{{.Name}}",
            "{{- .Name -}}  y",
            "a {{- \" b \" -}} c",
            "{{/* nothing */}}x",
            "{{- /* nothing */ -}}",
            "{{.Config.Cmd | json}}",
            "{{.Name | printf \"%s!\"}}",
            "{{\"abc\" | upper | printf \"%s %s\" \"x\"}}",
            "{{and .Name .Id | len}}",
            "{{.Config.Env | len | printf \"%03d\"}}",
            "{{.State.Status | eq \"created\"}}",
            "{{if .State.Running}}r{{else if eq .State.Status \"created\"}}c{{else}}x{{end}}",
            "{{if and .State.Running .State.Paused}}a{{else}}b{{end}}",
            "{{if not .State.Running}}stopped{{end}}",
            "{{with .Config.Healthcheck}}{{json .Test}}{{end}}",
            "{{with $x := .Name}}{{$x}}{{end}}",
            "{{with .State}}{{$.Name}} {{.Status}}{{end}}",
            "{{range .Config.Cmd}}{{.}};{{end}}",
            "{{range $i, $v := .Config.Env}}{{$i}}:{{$v}},{{end}}",
            "{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}",
            "{{range .Mounts}}{{.Type}} {{.Destination}}{{end}}",
            "{{range .Config.Cmd}}{{if eq . \"-c\"}}{{continue}}{{end}}{{.}};{{end}}",
            "{{range .Config.Cmd}}{{break}}{{else}}e{{end}}",
            "{{range .HostConfig.CapAdd}}x{{else}}none{{end}}",
            "{{range 3}}{{.}}{{end}}",
            "{{$x := 1}}{{$x = 2}}{{$x}}",
            "{{$.Name}}",
            "{{define \"t\"}}[{{.}}]{{end}}{{template \"t\" .Name}}",
            "{{template \"x\" .}}{{define \"x\"}}{{.Name}}{{end}}",
            "{{block \"b\" .}}{{.Name}}{{end}}",
            "{{(index .Mounts 0).Destination}}",
            "{{(.State).Status}}",
            "{{true}} {{1.5}} {{0x10}} {{1e3}} {{'a'}} {{-1}} {{+1}} {{0b101}} {{1_000}}",
            "{{\"a\\tb\"}} {{`raw\\n`}}",
            "a\\tb",
            "plain",
            "json",
            "table {{.Name}}",
        ],
    );
    stage.none_differed();
}

#[test]
fn functions() {
    let stage = Stage::set();
    stage.same(
        &["container", "inspect", &stage.container, "-f"],
        &[
            "{{json .Config.Labels}} {{json .State.Running}} {{json \"a<b>&c\"}}",
            "{{upper .Name}} {{lower \"ABC\"}} {{title \"abc def\"}}",
            "{{split .Path \"/\"}} {{index (split \"a,b,c\" \",\") 1}}",
            "{{join .Config.Cmd \",\"}}",
            "{{join .Config.Env \"\\n\"}}",
            "{{truncate .Id 5}}|{{truncate \"ab\" 5}}",
            "{{pad \"x\" 2 3}}|{{pad \"\" 1 1}}|",
            "{{println .Name \"x\"}}",
            "{{print .Name 1 2 \"x\"}}",
            "{{printf \"%s-%d-%v-%q\" .Name .RestartCount .State.Running .Name}}",
            "{{printf \"%10s|%-10s|%05d|%x|%.2f\" \"a\" \"b\" 42 255 3.14159}}",
            "{{printf \"%o %b %X %e %g|%6.2f|%08.3f\" 8 5 255 1.5 1.5 1.5 3.14159}}",
            "{{printf \"%-5d|%+d|% d|%5t|%c|%U|%%\" 3 3 3 true 65 65}}",
            "{{printf \"%[2]s %[1]s %*d\" \"a\" \"b\" 5 3}}",
            "{{printf \"%d %s %t\" \"x\" 3 \"y\"}} {{printf \"%d %d\" 1}} {{printf \"%d\" 1 2}}",
            "{{printf \"%v %v\" .Config.Labels .Config.Env}}",
            "{{html .Config.Cmd}} {{js \"a'b\"}} {{urlquery \"a b&c\"}}",
            "{{len .Name}} {{len .Config.Env}} {{len .Config.Labels}}",
            "{{slice .Name 1}} {{slice .Id 0 12}} {{slice .Config.Cmd 1 2}}",
            "{{index .Config.Labels \"c.d\"}} {{index .Config.Labels \"zz\"}}| {{index .Config.Cmd 0}}",
            "{{index (index .Mounts 0) \"Destination\"}}",
            "{{or \"\" \"b\"}} {{or 0 false \"\"}} {{and 1 0 2}} {{not true}}",
            "{{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt 1 2}} {{ge 1 2}} {{eq 1 2 3 1}} {{eq .State.Pid 0}}",
            "{{println}}{{print}}{{html}}{{js}}",
        ],
    );
    stage.none_differed();
}

#[test]
fn fields_that_are_and_are_not() {
    let stage = Stage::set();
    stage.same(
        &["container", "inspect", &stage.container, "-f"],
        &[
            "{{.Id}}",
            "{{.ID}}",
            "{{.Config.Labels}} {{.Config.Labels.a}} {{.Config.Labels.zz}}",
            "{{.State.Health}} {{json .State.Health}}",
            "{{.HostConfig.Binds}} {{.HostConfig.Sysctls}} {{.HostConfig.Memory}} {{.HostConfig.RestartPolicy}}",
            "{{.HostConfig.LogConfig.Type}} {{.HostConfig.Init}} {{.HostConfig.PidsLimit}} {{.HostConfig.Ulimits}}",
            "{{.HostConfig.NanoCPUs}} {{.HostConfig.CPUShares}}",
            "{{.HostConfig.CPUQuota}} {{.HostConfig.CPURealtimePeriod}}",
            "{{json .HostConfig.PortBindings}} {{json .NetworkSettings.Ports}} {{.Config.ExposedPorts}}",
            "{{range $k, $v := .NetworkSettings.Networks}}{{$k}}{{end}}",
            "{{.Config.Entrypoint}} {{json .Config.Entrypoint}} {{.Config.OnBuild}} {{.Config.Volumes}}",
            "{{.SizeRw}} {{json .SizeRw}}",
            "{{.RestartCount}} {{.State.Pid}} {{.Driver}} {{.Platform}} {{.Args}} {{.ExecIDs}}",
            "{{.Foo}}",
            "{{.name}}",
            "{{.State.Foo}}",
            "{{.State.Status.X}}",
            "{{.Name.Foo}}",
            "{{.Mounts.Name}}",
            "{{$.State.Foo}}",
            "{{with .Nope}}{{end}}",
            "{{if .Foo}}a{{end}}",
            "{{range .Mounts}}{{.Foo}}{{end}}",
            "line\n{{.Foo}}",
            "{{.State.Health.Status}}",
        ],
    );
    stage.same(
        &["image", "inspect", &stage.image, "-f"],
        &[
            "{{.Id}}",
            "{{.ID}} {{.Architecture}} {{.Os}} {{.Variant}}|",
            "{{.RepoTags}} {{json .RepoDigests}} {{.Parent}}| {{.Author}}| {{.Comment}}|",
            "{{.Config.Cmd}} {{.Config.Env}} {{.Config.Labels}} {{.Config.Volumes}}",
            "{{.RootFS.Layers}} {{json .RootFS}} {{.Size}} {{.GraphDriver.Name}} {{.VirtualSize}}",
        ],
    );
    stage.same(
        &["network", "inspect", "host", "-f"],
        &[
            "{{.Name}} {{.Driver}} {{.Scope}} {{.Internal}} {{.EnableIPv6}} {{.ID}}",
            "{{.Options}} {{.Labels}} {{.Containers}} {{json .Options}}",
        ],
    );
    stage.same(
        &["volume", "inspect", &stage.volume, "-f"],
        &[
            "{{.Name}} {{.Driver}} {{.Labels}} {{.Labels.k}} {{.Labels.zz}} {{.Options}} {{.Scope}}",
            "{{.Status}} {{.UsageData}}",
            "{{json .}}",
            "{{.Foo}}",
        ],
    );
    stage.none_differed();
}

#[test]
fn errors_in_gos_words() {
    let stage = Stage::set();
    stage.same(
        &["container", "inspect", &stage.container, "-f"],
        &[
            "{{.Name",
            "{{",
            "{{}}",
            "{{.}",
            "{{if}}",
            "{{if .Name}}",
            "{{else}}",
            "{{end}}",
            "{{else if}}",
            "{{.Name}} {{end}}",
            "{{range}}{{end}}",
            "{{with}}{{end}}",
            "{{define \"a\"}}",
            "{{define}}{{end}}",
            "{{template}}",
            "{{template \"no\"}}",
            "{{break}}",
            "{{continue}}",
            "{{foo .}}",
            "{{.Name | foo}}",
            "{{$x}}",
            "{{\"unterminated}}",
            "{{.Name:}}",
            "{{.Name,}}",
            "{{.Name)}}",
            "{{(.Name}}",
            "{{| .Name}}",
            "{{1 | .Name}}",
            "{{nil}}",
            "{{1 2}}",
            "{{\"a\" \"b\"}}",
            "{{.Name 1}}",
            "{{call .Name}}",
            "{{index .Config.Env 9}}",
            "{{index .Config.Env \"x\"}}",
            "{{index .Config.Cmd 0 0}}",
            "{{index .Config.Labels 1}}",
            "{{index 3 1}}",
            "{{index}}",
            "{{slice}}",
            "{{slice .Name 99}}",
            "{{slice .Name 3 1}}",
            "{{len}}",
            "{{len 3}}",
            "{{json}}",
            "{{json 1 2}}",
            "{{upper 1}}",
            "{{title}}",
            "{{split \"a\"}}",
            "{{split 1 \"x\"}}",
            "{{join}}",
            "{{join \"a\" \"b\"}}",
            "{{truncate \"abc\" \"x\"}}",
            "{{pad \"a\"}}",
            "{{printf}}",
            "{{and}}",
            "{{not}}",
            "{{eq}}",
            "{{eq 1}}",
            "{{lt 1}}",
            "{{eq \"a\" 1}}",
            "{{lt \"a\" 1}}",
        ],
    );
    let one_of_two = ["inspect", &stage.container, "nosuch", &stage.other, "-f"];
    stage.same(&one_of_two, &["{{.Name}}", "{{.Foo}}", "{{.Foo"]);
    stage.same(&["inspect", &stage.image, &stage.volume, "host", "-f"], &["{{.Name}}", "{{.Id}}"]);
    stage.none_differed();
}

#[test]
fn a071_did_you_mean() {
    let stage = Stage::set();
    let done = stage.host.try_run(&["images", "--format", "{{.Reposity}}"]);
    done.fails_with(1, "can't evaluate field Reposity in type *formatter.imageContext");
    done.fails_with(1, "hint: did you mean .Repository?");
    let done = stage.host.try_run(&["version", "--format", "{{.Server.Verson}}"]);
    done.fails_with(1, "hint: did you mean .Version?");
}
