"""Drives one container through Docker's Python SDK; the caller reads the last line."""

import os
import sys

import docker

image = sys.argv[1]
client = docker.from_env()
assert client.ping()
assert client.version()["ApiVersion"]

assert client.containers.run(image, ["echo", "hi"], remove=True) == b"hi\n"
try:
    client.containers.run(image, ["sh", "-c", "echo no >&2; exit 3"], remove=True)
    raise SystemExit("a failing container must raise")
except docker.errors.ContainerError as error:
    assert error.exit_status == 3 and error.stderr == b"no\n", error

box = client.containers.run(image, ["sleep", "60"], detach=True, name="sdk-box", labels={"kind": "sdk"})
assert [c.id for c in client.containers.list(filters={"label": "kind=sdk"})] == [box.id]
assert box.exec_run(["sh", "-c", "echo out; exit 4"]) == (4, b"out\n")
code, (out, err) = box.exec_run(["sh", "-c", "echo out; echo err >&2"], demux=True)
assert (code, out, err) == (0, b"out\n", b"err\n")
box.pause()
box.reload()
assert box.status == "paused"
box.unpause()
box.stop(timeout=0)
assert box.wait()["StatusCode"] == 137
box.remove()
try:
    client.containers.get("sdk-box")
    raise SystemExit("a removed container must be gone")
except docker.errors.NotFound:
    pass

writer = client.containers.create(image, ["sh", "-c", "for i in 1 2 3; do echo $i; done"])
writer.start()
assert b"".join(writer.logs(stream=True, follow=True)) == b"1\n2\n3\n"
writer.remove()

low = docker.APIClient(base_url=os.environ["DOCKER_HOST"], version="1.32")
made = low.create_container(image, ["cat"], stdin_open=True, host_config=low.create_host_config(auto_remove=True))
socket = low.attach_socket(made["Id"], params={"stdin": 1, "stdout": 1, "stream": 1})
low.start(made["Id"])
socket._sock.sendall(b"through\n")
socket._sock.shutdown(1)
received = b""
while chunk := socket._sock.recv(4096):
    received += chunk
assert received.endswith(b"through\n"), received
print("all of it works")
