import CLinux
import Glibc

extension Lab {
    private static let role = "server"

    /// The server's process; nil when it is not running.
    private var serverProcess: LabProcess? {
        LabProcess.all(ofLab: name).first { $0.environment(LabProcess.roleMark) == Self.role && $0.command.dropFirst().first == "server" }
    }

    public var isServerRunning: Bool { serverProcess != nil }

    /// The process id of the server, for measurements.
    public var serverProcessID: Int32? { serverProcess?.id }

    /// Starts the server, on the port that it had before or else the given one or a free one, and the relay through which hosts reach it;
    /// returns when the API answers.
    public func startServer(port wanted: Int? = nil, arguments: [String] = []) async throws {
        try Files.makeDirectory("\(directory.path)/server")
        let fixed = state.apiPort ?? wanted
        for attempt in 1... {
            let port = try fixed ?? Self.freePort()
            let words = Services.server(state.executable, port: port, state: directory.path, authenticates: state.authenticates)
            let process = try startLogged(words + arguments, role: Self.role)
            if try await isReady(process, port: port) {
                try change { $0.apiPort = port }
                try startRelay(port: port)
                return
            }
            // A free port may have been taken by another process meanwhile.
            guard fixed == nil, attempt < Self.serverStartAttempts else {
                throw LabError("The server ended at its start; \(logPath(Self.role)) says:\(Files.tail(logPath(Self.role)))")
            }
        }
    }

    /// Ends the server with SIGKILL; agents and packets go on.
    public func killServer() async throws {
        guard let process = serverProcess else { throw LabError("The server is not running.") }
        _ = try await BackgroundThread.run { LabProcess.end([process]) }
    }

    /// Asks the server to end (SIGTERM) and waits until it is gone.
    public func stopServer(timeoutMilliseconds: Int = 60_000) async throws {
        guard let process = serverProcess, kill(process.id, SIGTERM) == 0 else { throw LabError("The server is not running.") }
        try await waitUntil("the server to end", timeoutMilliseconds: timeoutMilliseconds, intervalMilliseconds: 20) {
            // The process that started it is asked for its end.
            waitpid(process.id, nil, WNOHANG)
            return !process.isRunning
        }
    }

    /// Ends the server and every agent that runs; packets go on.
    public func stopServices() async throws {
        if isServerRunning { try await stopServer() }
        for host in hosts where host.isAgentRunning { try await host.endAgent() }
    }

    private func startRelay(port: Int) throws {
        let relays = LabProcess.all(ofLab: name).filter { $0.environment(LabProcess.roleMark) == "relay" }
        guard relays.isEmpty else { return }
        _ = try startLogged(Services.relay(state.executable, fabric: fabric, port: port), role: "relay")
    }

    private func startLogged(_ words: [String], role: String) throws -> LabProcess {
        let log = Glibc.open(logPath(role), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard log >= 0 else { throw Files.failure("write \(logPath(role))") }
        defer { close(log) }
        return try LabProcess.start(words, lab: name, role: role, output: log, error: log)
    }

    /// Waits for the first answer; false when the process ended instead.
    private func isReady(_ process: LabProcess, port: Int) async throws -> Bool {
        let client = APIClient(endpoint: "http://127.0.0.1:\(port)")
        let timeout = Self.serverReadyTimeoutMilliseconds
        do {
            return try await waitFor("the API to answer", timeoutMilliseconds: timeout, intervalMilliseconds: 20) { () -> Bool? in
                guard process.isRunning else {
                    waitpid(process.id, nil, WNOHANG)
                    return false
                }
                return (try? await client.send("GET", "/")) == nil ? nil : true
            }
        } catch let error as LabError {
            throw LabError("\(error) \(logPath(Self.role)) says:\(Files.tail(logPath(Self.role)))")
        }
    }

    /// A port of 127.0.0.1 that nobody listens on at this moment.
    static func freePort() throws(LabError) -> Int {
        let descriptor = clinux_stream_socket()
        guard descriptor >= 0 else { throw Files.failure("open a socket") }
        defer { close(descriptor) }
        var address = SocketAddress.ipv4("127.0.0.1", port: 0)
        guard let address = SocketAddress.bound(descriptor, &address) else { throw Files.failure("find a free port") }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    /// The port, if nobody listens on it at this moment; else nil.
    public static func portIfFree(_ port: Int) -> Int? {
        let descriptor = clinux_stream_socket()
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        var address = SocketAddress.ipv4("127.0.0.1", port: UInt16(clamping: port))
        return SocketAddress.bound(descriptor, &address) == nil ? nil : port
    }
}
