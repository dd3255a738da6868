import Addressing
import Converters
import Drivers
import Glibc
import HostModel
import KernelInterface
import KernelLinux
import NetworkModel

// Measures what cycles of a host with many HA routers cost. Changes the network of the namespace that it runs in: see scripts/bench-routers.

// getrusage(2): this process, and its children that were waited for.
let ownUsage: Int32 = 0
let childrenUsage: Int32 = -1

func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

func processorSeconds(_ who: Int32) -> Double {
    var usage = rusage()
    getrusage(who, &usage)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    return seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

func id(_ number: Int) -> ResourceID { ResourceID(rawValue: UInt128(number) << 96 | 0x4000_8000_0000_0000_0000) }

func address(_ text: String) -> IPAddress {
    guard let address = IPAddress(text) else { preconditionFailure("'\(text)' is an address") }
    return address
}

func interface(_ text: String) -> InterfaceAddress {
    guard let address = InterfaceAddress(text) else { preconditionFailure("'\(text)' is an address with a length") }
    return address
}

func port(_ number: Int, network: Int, _ addresses: [String], gateways: [String] = []) -> HostRouter.RouterPort {
    HostRouter.RouterPort(
        id: id(number), networkID: id(network), mac: MACAddress(rawValue: 0xfa16_3e00_0000 | UInt64(number)),
        addresses: addresses.map(interface), gateways: gateways.map(address), mtu: 1450)
}

func router(_ number: Int) -> HostRouter {
    let (high, low) = (number / 200, number % 200 + 10)
    var router = HostRouter(
        id: id(10_000 + number),
        gateway: port(20_000 + number, network: 2, ["203.0.\(113 + high).\(low)/16"], gateways: ["203.0.0.1"]),
        interfaces: [port(30_000 + number, network: 3, ["10.0.\(high).\(low)/16"])])
    router.redundancy = .init(
        virtualRouterID: number % 254 + 1, priority: 200, port: port(40_000 + number, network: 1, ["169.254.\(192 + high).\(low)/18"]))
    return router
}

func count(_ text: String?) -> Int { text.flatMap { Int($0) } ?? 200 }

let routers = count(CommandLine.arguments.dropFirst().first)
let state = CommandLine.arguments.dropFirst(2).first ?? "/tmp/router-bench"
let settings = AgentSettings(
    stateDirectory: state, tunnelAddress: address("192.0.2.1"), hasBridgeConntrack: BridgeConntrack.detect() == .native)

func desired(_ count: Int) -> (HostConfiguration, Double) {
    var view = HostView()
    for network in 1...3 { view.put(.network(HostNetwork(id: id(network), carrier: .vxlan(vni: network), mtu: 1450))) }
    for number in 0..<count { view.put(.router(router(number))) }
    let start = now()
    let configuration = HostConverter.convert(view, settings).configuration
    return (configuration, now() - start)
}

func milliseconds(_ seconds: Double) -> String { "\(Int((seconds * 1000).rounded())) ms" }

func measure(_ name: String, _ body: () -> ApplyReport) {
    let (start, own, children) = (now(), processorSeconds(ownUsage), processorSeconds(childrenUsage))
    var report = body()
    var cycles = 1
    let first = now() - start
    print("  \(name), first cycle: complete \(report.isComplete), operations \(report.performed)")
    for failure in report.failures.prefix(3) { print("  \(name), first cycle: \(failure)") }
    fflush(nil)
    // Until it is complete, as the agent does.
    while !report.isComplete || report.retryAfterMilliseconds != nil, now() - start < 60 {
        ends.wait(milliseconds: report.retryAfterMilliseconds ?? 100)
        report = body()
        cycles += 1
    }
    let used = (processorSeconds(ownUsage) - own, processorSeconds(childrenUsage) - children)
    print(
        "\(name): first cycle \(milliseconds(first)), complete after \(milliseconds(now() - start)) and \(cycles) cycles; processor: own "
            + "\(milliseconds(used.0)), reaped children \(milliseconds(used.1)); operations \(report.performed), failures \(report.failureCount)"
    )
    for failure in report.failures.prefix(3) { print("  \(failure)") }
    print("  time: \(watch.lap())")
    fflush(nil)
}

func reconciler() -> Reconciler {
    Reconciler(
        kernel: TimedKernel(LinuxKernel(), watch), processes: TimedProcesses(LinuxProcessHost(), watch), stateDirectory: state,
        onStartEnd: { ends.signal() }, clock: { Int(now() * 1000) })
}

let watch = Stopwatch()
let ends = WakeUp()
if CommandLine.arguments.count > 4, CommandLine.arguments[3] == "ports" {
    measurePorts(routers, members: count(CommandLine.arguments[4]))
    exit(0)
}
let (all, conversion) = desired(routers)
print("\(routers) routers; conversion \(milliseconds(conversion))")
var agent = reconciler()
measure("absent, full") { agent.apply(all, .full) }
measure("unchanged, full") { agent.apply(all, .full) }
measure("unchanged, changed") { agent.apply(all, .changed) }
agent = reconciler()
measure("new agent, full") { agent.apply(all, .full) }
let (fewer, _) = desired(routers - 1)
measure("one router less") { agent.apply(fewer, .changed) }
measure("one router more") { agent.apply(all, .changed) }
measure("all routers less") { agent.apply(desired(0).0, .changed) }
