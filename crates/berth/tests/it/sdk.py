"""Drives containers through Docker's Python SDK; the caller reads the last line."""

import io
import os
import sys
import tarfile
import time

import docker

image = sys.argv[1]
client = docker.from_env()


def runs():
    assert client.ping()
    assert client.version()["ApiVersion"]
    assert client.containers.run(image, ["echo", "hi"], remove=True) == b"hi\n"
    try:
        client.containers.run(image, ["sh", "-c", "echo no >&2; exit 3"], remove=True)
        raise SystemExit("a failing container must raise")
    except docker.errors.ContainerError as error:
        assert error.exit_status == 3 and error.stderr == b"no\n", error


def life():
    box = client.containers.run(image, ["sleep", "60"], detach=True, name="sdk-box", labels={"kind": "sdk"})
    assert [c.id for c in client.containers.list(filters={"label": "kind=sdk"})] == [box.id]
    assert box.exec_run(["sh", "-c", "echo out; exit 4"]) == (4, b"out\n")
    code, (out, err) = box.exec_run(["sh", "-c", "echo out; echo err >&2"], demux=True)
    assert (code, out, err) == (0, b"out\n", b"err\n")
    box.pause()
    box.reload()
    assert box.status == "paused"
    box.unpause()
    box.update(mem_limit="96m", memswap_limit=-1)
    box.reload()
    assert box.attrs["HostConfig"]["Memory"] == 96 << 20
    box.rename("sdk-renamed")
    assert client.containers.get("sdk-renamed").id == box.id
    top = box.top(ps_args="-o pid,comm")
    assert top["Titles"] == ["PID", "COMMAND"] and top["Processes"][0][1] == "sleep", top
    once = box.stats(stream=False)
    assert once["memory_stats"]["limit"] == 96 << 20, once["memory_stats"]
    assert once["pids_stats"]["current"] >= 1 and once["cpu_stats"]["online_cpus"] >= 1
    following = box.stats(stream=True, decode=True)
    assert [next(following)["id"] for _ in range(2)] == [box.id] * 2
    box.stop(timeout=0)
    assert box.wait()["StatusCode"] == 137
    box.remove()
    try:
        client.containers.get("sdk-renamed")
        raise SystemExit("a removed container must be gone")
    except docker.errors.NotFound:
        pass


def logs():
    writer = client.containers.create(image, ["sh", "-c", "for i in 1 2 3; do echo $i; done; echo no >&2"])
    writer.start()
    assert b"".join(writer.logs(stream=True, follow=True, stderr=False)) == b"1\n2\n3\n"
    assert writer.logs(stdout=False) == b"no\n"
    assert writer.logs(tail=1) in (b"3\n", b"no\n")
    writer.remove()


def archives():
    box = client.containers.create(image, ["true"])
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("note")
        entry.size = 12
        tar.addfile(entry, io.BytesIO(b"from outside"))
    assert box.put_archive("/tmp", packed.getvalue())
    pieces, stat = box.get_archive("/tmp/note")
    assert (stat["name"], stat["size"]) == ("note", 12), stat
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
        assert tar.extractfile("note").read() == b"from outside"
    assert {"Path": "/tmp/note", "Kind": 1} in box.diff()
    with tarfile.open(fileobj=io.BytesIO(b"".join(box.export()))) as tar:
        assert tar.extractfile("tmp/note").read() == b"from outside"
    committed = box.commit("sdk-committed", "one", message="by the SDK")
    assert client.containers.run("sdk-committed:one", ["cat", "/tmp/note"], remove=True) == b"from outside"
    box.remove()
    client.images.remove(committed.id, force=True)


def volumes():
    volume = client.volumes.create("sdk-volume", labels={"kind": "sdk"})
    mounts = {"sdk-volume": {"bind": "/data", "mode": "rw"}}
    client.containers.run(image, ["sh", "-c", "echo kept > /data/f"], volumes=mounts, remove=True)
    assert client.containers.run(image, ["cat", "/data/f"], volumes=mounts, remove=True) == b"kept\n"
    assert [v.name for v in client.volumes.list(filters={"label": "kind=sdk"})] == ["sdk-volume"]
    volume.remove()


def sockets():
    low = docker.APIClient(base_url=os.environ["DOCKER_HOST"], version="1.32")
    host = low.create_host_config(auto_remove=True)
    made = low.create_container(image, ["cat"], stdin_open=True, host_config=host)
    socket = low.attach_socket(made["Id"], params={"stdin": 1, "stdout": 1, "stream": 1})
    low.start(made["Id"])
    through(socket._sock)
    box = client.containers.run(image, ["sleep", "60"], detach=True)
    _, socket = box.exec_run(["cat"], stdin=True, socket=True)
    through(socket._sock)
    box.remove(force=True)


def through(socket):
    """Writes, closes its half, and reads back what it wrote."""
    socket.sendall(b"through\n")
    socket.shutdown(1)
    received = b""
    while chunk := socket.recv(4096):
        received += chunk
    assert received.endswith(b"through\n"), received


def events():
    began = int(time.time())
    box = client.containers.run(image, ["true"], detach=True)
    box.wait()
    box.remove()
    seen = client.events(since=began, until=int(time.time()) + 1, decode=True, filters={"container": box.id})
    actions = [event["Action"] for event in seen]
    assert actions == ["create", "start", "die", "destroy"], actions


def checks():
    check = {"test": ["CMD", "true"], "interval": 200_000_000}
    box = client.containers.run(image, ["sleep", "60"], detach=True, healthcheck=check)
    deadline = time.time() + 120
    while client.containers.get(box.id).health != "healthy":
        assert time.time() < deadline, "the check says healthy"
        time.sleep(0.1)
    box.remove(force=True)


for part in [runs, life, logs, archives, volumes, sockets, events, checks]:
    part()
print("all of it works")
