//! The fields that templates of lists, and of what describes the daemon, may name: the same with both command lines.

use crate::templates::Stage;

#[test]
fn lists() {
    let stage = Stage::set();
    stage.same(
        &["ps", "-a", "--format"],
        &[
            "{{.ID}} {{.Image}} {{.Names}} {{.State}} {{.Status}} {{.Command}}",
            "{{.Labels}} {{.Label \"a\"}} {{.Mounts}} {{.LocalVolumes}} {{.Networks}} {{.Ports}} {{.Platform}}",
            "json",
            "raw",
            "table {{.ID}}\t{{.Names}}",
            "table {{.ID}}\\t{{.Names}}",
            "table {{.Names}}: {{.Image}}",
            "table {{.Names}}\t{{.Label \"a\"}}\t{{.Label \"c.d\"}}",
            "table {{upper .Names}}\t{{title .Image}}\t{{json .ID}}",
            "table {{join (split .Names \"n\") \"-\"}}",
            "table {{truncate .ID 3}}\t{{pad .Names 2 2}}|{{len .Names}}",
            "table{{.Names}}",
            " table {{.Names}}",
            "{{.Names}}\\n",
            "{{if eq .State \"created\"}}c{{end}}",
            "{{.Nams}}",
            "{{.Labels.a}}",
            "{{.Label}}",
            "{{.Label 1}}",
            "{{.Label \"a\" \"b\"}}",
            "table {{.Names}}\t{{.Nope}}",
            "{{.Names",
            "{{foo .Names}}",
        ],
    );
    stage.same(
        &["images", "--format"],
        &[
            "{{.ID}}: {{.Repository}} {{.Tag}} {{.Digest}} {{.Size}}",
            "table {{.ID}}\\t{{.Repository}}\\t{{.Tag}}",
            "json",
            "{{json .}}",
            "raw",
            "{{.SharedSize}} {{.UniqueSize}} {{.Containers}} {{.VirtualSize}}",
            "{{.Reposity}}",
            "{{.Foo",
        ],
    );
    stage.same(
        &["volume", "ls", "--format"],
        &[
            "{{.Name}} {{.Driver}} {{.Scope}} {{.Mountpoint}} {{.Label \"k\"}} {{.Labels}} {{.Links}} {{.Size}}",
            "json",
            "raw",
            "table {{.Name}}\t{{.Driver}}",
            "{{.Foo}}",
        ],
    );
    stage.same(
        &["network", "ls", "--format"],
        &[
            "{{.ID}} {{.Name}} {{.Driver}} {{.Scope}} {{.IPv4}} {{.IPv6}} {{.Internal}} {{.Labels}} {{.CreatedAt}}",
            "json",
            "raw",
            "table {{.Name}}\t{{.Driver}}",
            "{{.Foo}}",
        ],
    );
    stage.same(&["context", "ls", "--format"], &["{{.Name}} {{.Current}} {{.DockerEndpoint}}", "json", "{{.Foo}}"]);
    stage.same(
        &["system", "df", "--format"],
        &[
            "{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}} {{.Reclaimable}}",
            "json",
            "table {{.Type}}\t{{.Size}}",
            "{{.Foo}}",
        ],
    );
    stage.same(
        &["system", "df", "-v", "--format"],
        &[
            "{{range .Images}}{{.Repository}} {{.Tag}} {{.SharedSize}} {{.UniqueSize}} {{.Digest}}|{{end}}",
            "{{range .Containers}}{{.Names}} {{.Size}}|{{end}}",
        ],
    );
    stage.same(&["events", "--since", "1", "--until", "2", "--format"], &["{{.Actor.ID}}", "{{.Foo}}", "{{"]);
    stage.same(
        &["stats", "--no-stream", "-a", "--format"],
        &["{{.Name}} {{.Container}} {{.ID}}", "{{.Foo}}", "{{.Name"],
    );
    stage.none_differed();
}

#[test]
fn the_daemon() {
    let stage = Stage::set();
    stage.same(
        &["version", "--format"],
        &[
            "{{.Server.Version}} {{.Server.Os}}/{{.Server.Arch}} {{.Server.APIVersion}} {{.Server.MinAPIVersion}}",
            "{{range .Server.Components}}{{.Name}} {{end}}{{.Server.Platform.Name}} {{.Server.Experimental}}",
            "{{with .Server}}{{.KernelVersion}}{{end}} {{.Client.Os}} {{.Client.Context}}",
            "{{.Server.Foo}}",
            "{{.Client.Foo}}",
            "{{.Foo}}",
            "{{.Server}",
        ],
    );
    stage.same(&["info", "--format"], &[
        "{{.ID}} {{.Driver}} {{.ServerVersion}} {{.OSType}} {{.Architecture}} {{.NCPU}} {{.Name}}",
        "{{.Swarm.LocalNodeState}} {{.CgroupVersion}} {{.CgroupDriver}} {{.KernelVersion}} {{.DefaultRuntime}}",
        "{{range $k, $v := .Runtimes}}{{$k}} {{end}}{{.ContainersRunning}}/{{.Containers}} {{.Images}}",
        "{{json .Plugins}} {{.Plugins.Volume}} {{.SecurityOptions}} {{.Labels}}",
        "{{.HTTPProxy}}|{{.ProductLicense}}|{{.LiveRestoreEnabled}} {{.IndexServerAddress}} {{.DefaultAddressPools}}",
        "{{.RegistryConfig.InsecureRegistryCIDRs}} {{.ClientInfo.Context}} {{.ClientInfo.Debug}}",
        "{{.Foo}}",
        "{{.ID",
    ]);
    stage.none_differed();
}
