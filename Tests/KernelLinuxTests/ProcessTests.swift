import Glibc
import KernelInterface
import Testing

@testable import KernelLinux

@Suite(.serialized) struct ProcessTests {
    let host = LinuxProcessHost()

    @Test("A program's exit code and both its streams come back, and its input reaches it")
    func exitAndStreams() throws {
        let result = try runProgram(["sh", "-c", "cat; echo fault >&2; exit 3"], input: "hello\n", timeoutMilliseconds: 5000)
        #expect(result == ProgramResult(exitCode: 3, standardOutput: "hello\n", standardError: "fault\n"))
        let killed = try runProgram(["sh", "-c", "kill -9 $$"], timeoutMilliseconds: 5000)
        #expect(killed.exitCode == 137)
    }

    @Test("A log beyond its limit is beside itself, as readable as before, and whoever has it open goes on at its beginning")
    func growingLog() throws {
        let directory = "/tmp/neutrino-log-\(getpid())"
        defer { try? host.removeFile(directory) }
        let log = GrowingLog(path: directory + "/log", limitBytes: 10)
        try host.limit(log)
        try host.writeFile(log.path, "")
        chmod(log.path, 0o640)
        // As dnsmasq has it open.
        let writer = open(log.path, O_WRONLY | O_APPEND | O_CLOEXEC)
        defer { close(writer) }
        func say(_ text: String) { #expect(Glibc.write(writer, text, text.utf8.count) == text.utf8.count) }
        say("0123456789")
        try host.limit(log)
        #expect(try host.readFile(log.path) == "0123456789" && host.readFile(log.formerPath) == nil)
        for text in ["first", "second"] {
            say(text + ", too long")
            try host.limit(log)
            #expect(try host.readFile(log.path) == "")
            #expect(try host.readFile(log.formerPath)?.hasSuffix(text + ", too long") == true)
        }
        say("on")
        #expect(try host.readFile(log.path) == "on")
        var status = stat()
        #expect(stat(log.formerPath, &status) == 0 && status.st_mode & 0o777 == 0o640)
    }

    @Test("Large input and output pass through a program at once")
    func largeStreams() throws {
        let input = String(repeating: "0123456789abcdef", count: 40_000)
        let result = try runProgram(["cat"], input: input, timeoutMilliseconds: 20_000)
        #expect(result.standardOutput == input)
        // A program that does not read its input neither blocks nor kills the caller.
        #expect(try runProgram(["true"], input: input, timeoutMilliseconds: 20_000).exitCode == 0)
    }

    @Test("A program that takes too long is ended with all that it started")
    func timeout() throws {
        let mark = "neutrino-timeout-\(getpid())"
        let error = #expect(throws: KernelError.self) {
            try runProgram(["sh", "-c", "sleep 1000 & sleep 1000; : \(mark)"], timeoutMilliseconds: 200)
        }
        #expect(error?.code == ETIMEDOUT)
        #expect(RealKernel.eventually { host.processes(marked: mark).isEmpty })
    }

    @Test("A program that is not there is an error that names it")
    func missingProgram() {
        let error = #expect(throws: KernelError.self) { try runProgram(["/neutrino-no-such-program"], timeoutMilliseconds: 1000) }
        #expect(error?.code == ENOENT)
        #expect(error?.description == "cannot run /neutrino-no-such-program: No such file or directory")
    }

    @Test("A child has no descriptors but the standard three, and no blocked or ignored signals")
    func cleanChild() throws {
        let leak = dup(1)
        defer { close(leak) }
        let ignored = signal(SIGUSR1, SIG_IGN)
        defer { signal(SIGUSR1, ignored) }
        let script = "ls /proc/self/fd | wc -l; sed -n 's/Sig[BI][lg][kn]:.//p' /proc/self/status"
        let result = try runProgram(["sh", "-c", script], timeoutMilliseconds: 5000)
        let lines = result.standardOutput.split(separator: "\n")
        try #require(lines.count == 3)
        // ls itself opens the directory; the pipe is its standard output.
        #expect(lines[0] == "4")
        #expect(UInt64(lines[1], radix: 16) == 0)
        // glibc hands on its own two signals, 32 and 33, as ignored.
        #expect(try #require(UInt64(lines[2], radix: 16)) & ~0x1_8000_0000 == 0)
    }

    @Test("A daemon that detaches is found by its mark, ends by a signal, and its end is waited for")
    func daemon() throws {
        let mark = "neutrino-daemon-\(getpid())"
        try host.start(["sh", "-c", "setsid sh -c 'while :; do sleep 1000; done; : \(mark)' &"], in: nil, timeoutMilliseconds: 5000)
        // The shell that starts it and setsid carry the mark for a moment, too.
        var found: ProcessStatus?
        #expect(
            RealKernel.eventually {
                found = host.processes(marked: mark).first { $0.command.count == 3 && $0.command[2].hasPrefix("while") }
                return found != nil
            })
        let process = try #require(found)
        #expect(host.process(id: process.id) == process)
        #expect(!host.waitForExit(process: process.id, timeoutMilliseconds: 0))
        // The daemon leads a session of its own: its child goes with its group.
        kill(-process.id, SIGKILL)
        #expect(host.waitForExit(process: process.id, timeoutMilliseconds: 5000))
        #expect(host.process(id: process.id) == nil)
        #expect(RealKernel.eventually { host.processes(marked: mark).isEmpty })
    }

    @Test("A process is told by the file that it runs, whatever it calls itself and though the file has gone, and by its network")
    func program() throws {
        let kernel = LinuxKernel()
        let (mark, top) = ("1000.\(getpid())", "/tmp/neutrino-program-\(getpid())")
        defer {
            for process in host.processes(marked: mark) { kill(process.id, SIGKILL) }
            try? host.removeFile(top)
        }
        try host.writeFile("\(top)/directory", "")
        try RealKernel.withNamespaces(kernel, 1) { names in
            let script = "cp \"$(command -v tail)\" \(top)/other && exec -a dnsmasq \(top)/other -s \(mark) -f /dev/null"
            for place in [nil, names[0]] {
                try host.start(["bash", "-c", "{ \(script); } </dev/null >/dev/null 2>&1 &"], in: place, timeoutMilliseconds: 5000)
                var found: ProcessStatus?
                #expect(
                    RealKernel.eventually {
                        found = host.processes(marked: mark).first { $0.command.first == "dnsmasq" }
                        return found != nil
                    })
                let process = try #require(found)
                try host.removeFile("\(top)/other")
                let expected = ProcessStatus(id: process.id, command: process.command, program: "other", isInHostNetwork: place == nil)
                #expect(process == expected && host.process(id: process.id) == expected)
                kill(process.id, SIGKILL)
                #expect(host.waitForExit(process: process.id, timeoutMilliseconds: 5000))
            }
        }
    }

    @Test("A process of a container is none of this host's, whatever its words are")
    func container() throws {
        let mark = "1001.\(getpid())"
        let command = ["unshare", "--pid", "--fork", "--kill-child", "tail", "-s", mark, "-f", "/dev/null"]
        let child = try ChildProcess(command, input: nil, output: nil, error: nil, "run unshare")
        defer {
            child.kill()
            _ = child.reap()
        }
        let path = "/proc/\(child.id)/task/\(child.id)/children"
        func inner() throws -> Int32? { try host.readFile(path).flatMap { Int32($0.filter { !$0.isWhitespace }) } }
        #expect(RealKernel.eventually { (try? host.readFile("/proc/\(inner() ?? 0)/cmdline"))?.hasPrefix("tail") == true })
        #expect(host.process(id: try #require(try inner())) == nil)
        #expect(host.processes(marked: mark).map(\.program) == ["unshare"])
    }

    @Test("A daemon that does not start says why")
    func failedStart() {
        let error = #expect(throws: KernelError.self) {
            try host.start(["sh", "-c", "echo bad line 3 >&2; exit 2"], in: nil, timeoutMilliseconds: 5000)
        }
        #expect(error?.description == "cannot start sh -c echo bad line 3 >&2; exit 2: it ended with exit code 2: bad line 3")
    }

    @Test("A daemon that floods its standard error neither blocks nor dies of it")
    func flood() throws {
        let script = "i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789 2>/dev/null; i=$((i+1)); done; true"
        try host.start(["sh", "-c", script], in: nil, timeoutMilliseconds: 20_000)
    }

    @Test("A zombie is no process")
    func zombie() throws {
        let child = try ChildProcess(["true"], input: nil, output: nil, error: nil, "run true")
        #expect(child.waitForExit(Deadline(milliseconds: 5000)))
        #expect(host.process(id: child.id) == nil)
        #expect(child.reap() == 0)
    }

    @Test("Files are written whole, with their directories, readable for daemons, and removed with all that is in them")
    func files() throws {
        let top = "/tmp/neutrino-files-\(getpid())"
        defer { try? host.removeFile(top) }
        let before = umask(0o077)
        defer { umask(before) }
        let path = "\(top)/a/b/file"
        #expect(try host.readFile(path) == nil)
        try host.writeFile(path, "one\n")
        try host.writeFile(path, "two\n")
        #expect(try host.readFile(path) == "two\n")
        #expect(try host.listDirectory("\(top)/a/b") == ["file"])
        for (name, mode) in [(path, 0o644), ("\(top)/a/b", 0o755), (top, 0o755)] {
            var status = stat()
            #expect(stat(name, &status) == 0)
            #expect(Int(status.st_mode) & 0o777 == mode)
        }
        #expect(symlink("/usr", "\(top)/a/link") == 0)
        try host.removeFile("\(top)/a")
        try host.removeFile("\(top)/a")
        #expect(try host.listDirectory(top) == [])
        #expect(try host.listDirectory("\(top)/none") == [])
        #expect(access("/usr/bin", F_OK) == 0)
    }

    @Test("A write that cannot be finished leaves the old file and no other")
    func failedWrite() throws {
        let top = "/tmp/neutrino-write-\(getpid())"
        defer { try? host.removeFile(top) }
        try host.writeFile("\(top)/directory/file", "one")
        #expect(throws: KernelError.self) { try host.writeFile("\(top)/directory", "two") }
        #expect(try host.listDirectory(top) == ["directory"])
        #expect(throws: KernelError.self) { try host.writeFile("\(top)/directory/file/below", "two") }
    }
}
