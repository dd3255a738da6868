/// What the server and an agent keep in memory while nothing happens.
struct MemoryBenchmark {
    static let idleSeconds = 15

    let cloud: BenchmarkCloud

    func run() async throws -> [Measurement] {
        cloud.narrator.say("memory: letting server and agents idle for \(Self.idleSeconds) s")
        try await Task.sleep(for: .seconds(Self.idleSeconds))
        guard let server = cloud.lab.serverProcessID else { throw LabError("The server is not running.") }
        let serverSize = try Self.residentMegabytes(server)
        var agentSizes: [Double] = []
        for host in cloud.lab.hosts {
            guard let agent = host.agentProcessID else { throw LabError("The agent of \(host.name) is not running.") }
            agentSizes.append(try Self.residentMegabytes(agent))
        }
        cloud.narrator.say("memory: server \(number(serverSize)) MB, agents \(agentSizes.map(number).joined(separator: ", ")) MB")
        return [
            Measurement(
                .memory, "server and one agent, idle, resident", unit: "MB", .atMost(120), .worst, agentSizes.map { serverSize + $0 },
                remark: "\(BenchmarkReport.build) build; server \(number(serverSize)) MB; a sample for each host's agent")
        ]
    }

    /// VmRSS (proc(5)); a megabyte is 1024 × 1024 bytes.
    static func residentMegabytes(_ process: Int32) throws -> Double {
        let text = String(decoding: Files.read("/proc/\(process)/status") ?? [], as: UTF8.self)
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        guard let kibibytes = line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap({ Double($0) }) else {
            throw LabError("The memory of process \(process) cannot be read.")
        }
        return kibibytes / 1024
    }
}
