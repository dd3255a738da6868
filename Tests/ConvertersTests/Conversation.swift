import Glibc
import Testing

/// A connection that echoes what is sent into it.
final class Conversation {
    let host: TestHost
    private let pipe: Int32
    private let received: String
    private let client: String
    private let port: Int

    init(_ host: TestHost, _ name: String, from client: String, to server: String, at address: String, port: Int) throws {
        self.host = host
        (self.client, self.port) = (client, port)
        let base = "\(host.directory)/\(name)"
        received = base + ".received"
        try host.expect("mkfifo \(base).lines")
        pipe = open(base + ".lines", O_RDWR | O_CLOEXEC)
        try #require(pipe >= 0)
        let listening = "busybox timeout 60 busybox nc -l -p \(port) -e cat >/dev/null 2>&1 &"
        #expect(try runDetaching(["ip", "netns", "exec", server, "sh", "-c", listening]) == 0)
        #expect(try eventually { try host.run("ss -ltn | grep -q :\(port)", in: server).status == 0 })
        let talking = "busybox timeout 60 busybox nc \(address) \(port) < \(base).lines > \(received) 2>&1 &"
        #expect(try runDetaching(["ip", "netns", "exec", client, "sh", "-c", talking]) == 0)
    }

    deinit { close(pipe) }

    /// Sends a line.
    func tell(_ line: String) {
        let octets = Array("\(line)\n".utf8)
        #expect(write(pipe, octets, octets.count) == octets.count)
    }

    /// Whether the line comes back.
    func say(_ line: String) throws -> Bool {
        tell(line)
        return try eventually { try host.run("cat \(received)").text.hasSuffix("\(line)\n") }
    }

    /// Whether the client learns that it is over when it speaks.
    func isCut() throws -> Bool {
        tell("?")
        return try eventually { try host.run("ss -Htn | grep -q ':\(port) '", in: client).status != 0 }
    }
}
