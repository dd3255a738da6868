import CLinux
import Glibc

/// What the processes of one host use, by program, as /proc says.
struct HostUsage: Sendable {
    struct Program: Sendable {
        var processes = 0
        /// Time on a processor in user and kernel mode, all threads (proc_pid_stat(5)); ticks of 10 ms.
        var ticks = 0
        /// The process's share of the memory that it maps (PSS, proc(5)), kB.
        var kilobytes = 0
    }

    var programs: [String: Program] = [:]
    /// Processes in router namespaces, by the namespace's number.
    var processesByNamespace: [UInt64: Int] = [:]

    static var ticksPerSecond: Int { max(sysconf(Int32(_SC_CLK_TCK)), 1) }

    /// - Parameter hasMemory: reading it takes the kernel some time for each process.
    static func of(_ hosts: [LabHost], hasMemory: Bool = true) async throws -> [HostUsage] {
        let places = hosts.map(\.place)
        return try await BackgroundThread.run { places.map { read($0, hasMemory: hasMemory) } }
    }

    private static func read(_ place: Place, hasMemory: Bool) -> HostUsage {
        var usage = HostUsage()
        let own = namespace(of: place.process)
        for process in LabProcess.all(besides: place.process) {
            var program = usage.programs[process.programName] ?? Program()
            program.processes += 1
            program.ticks += ticks(of: process)
            if hasMemory { program.kilobytes += kilobytes(of: process) }
            usage.programs[process.programName] = program
            if let number = namespace(of: process), number != own { usage.processesByNamespace[number, default: 0] += 1 }
        }
        return usage
    }

    func ticks(of names: [String]) -> Int { names.reduce(0) { $0 + (programs[$1]?.ticks ?? 0) } }

    /// How many namespaces of the host's own have a keepalived, and how many a conntrackd. Not how many processes: some come and go.
    static func routers(on host: LabHost) -> (withKeepalived: Int, withConntrackd: Int) {
        let own = namespace(of: host.place.process)
        var withKeepalived: Set<UInt64> = []
        var withConntrackd: Set<UInt64> = []
        for process in LabProcess.all(besides: host.place.process) {
            guard let number = namespace(of: process), number != own else { continue }
            if Services.isKeepalived(process) { withKeepalived.insert(number) }
            if process.programName == "conntrackd" { withConntrackd.insert(number) }
        }
        return (withKeepalived.count, withConntrackd.count)
    }

    private static func namespace(of process: LabProcess) -> UInt64? {
        var status = stat()
        return stat("/proc/\(process.id)/ns/net", &status) == 0 ? UInt64(status.st_ino) : nil
    }

    private static func ticks(of process: LabProcess) -> Int {
        guard let bytes = Files.read("/proc/\(process.id)/stat"), let end = bytes.lastIndex(of: UInt8(ascii: ")")) else { return 0 }
        let fields = String(decoding: bytes[(end + 1)...], as: UTF8.self).split(separator: " ")
        // The first field here is the third of proc_pid_stat(5); utime is its 14th, stime its 15th.
        guard fields.count > 12 else { return 0 }
        return (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0)
    }

    private static func kilobytes(of process: LabProcess) -> Int {
        let text = String(decoding: Files.read("/proc/\(process.id)/smaps_rollup") ?? [], as: UTF8.self)
        let line = text.split(separator: "\n").first { $0.hasPrefix("Pss:") }
        return line.flatMap { Int($0.dropFirst(4).filter(\.isNumber)) } ?? 0
    }
}

/// What the machine's kernel holds for itself, of all labs and everything else.
struct KernelMemory: Sendable {
    /// Slab, vmalloc, per-CPU, page tables and kernel stacks (proc_meminfo(5)).
    var kilobytes: Int

    static func now() throws(LabError) -> KernelMemory {
        guard let bytes = Files.read("/proc/meminfo") else { throw LabError("/proc/meminfo cannot be read.") }
        let kinds = ["Slab:", "VmallocUsed:", "Percpu:", "PageTables:", "KernelStack:"]
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").filter { line in kinds.contains { line.hasPrefix($0) } }
        return KernelMemory(kilobytes: lines.reduce(0) { $0 + (Int($1.filter(\.isNumber)) ?? 0) })
    }
}

/// Time that the kernel spends for packets outside of any process.
enum KernelLoad {
    /// The share of one processor that interrupts and soft interrupts of the whole machine take, in percent, over some seconds.
    static func softirqPercent(seconds: Int) async throws -> Double {
        let before = try ticks()
        try await Task.sleep(for: .seconds(seconds))
        return Double(try ticks() - before) * 100 / Double(seconds * HostUsage.ticksPerSecond)
    }

    static func ticks() throws(LabError) -> Int {
        let text = String(decoding: Files.read("/proc/stat") ?? [], as: UTF8.self)
        let fields = text.split(separator: "\n").first?.split(separator: " ") ?? []
        // cpu user nice system idle iowait irq softirq … (proc_stat(5))
        guard fields.count > 7, let interrupts = Int(fields[6]), let softInterrupts = Int(fields[7]) else {
            throw LabError("/proc/stat cannot be read.")
        }
        return interrupts + softInterrupts
    }
}
