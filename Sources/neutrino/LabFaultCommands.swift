import ArgumentParser
import Lab

extension Fault: ExpressibleByArgument {}
extension FaultOptions.Link: ExpressibleByArgument {}
extension FaultOptions.Direction: ExpressibleByArgument {}

/// The options of faults that have degrees.
struct FaultArguments: ParsableArguments {
    @Option(help: "loss, delay: which link of the host (eth0: underlay, eth1: physical).") var link = FaultOptions.Link.underlay
    @Option(help: "loss, delay: what the host sends, what it receives, or both.") var direction = FaultOptions.Direction.both
    @Option(help: "loss, delay: percentage of frames that are lost (default: loss 100, delay 0).") var loss: Double?
    @Option(help: "delay: milliseconds that a frame waits.") var delay = FaultOptions().delayMilliseconds
    @Option(help: "delay: milliseconds that it waits more or less.") var jitter = 0.0
    @Option(help: "delay: percentage of frames that do not wait, and overtake others.") var reorder = 0.0
    @Option(help: "delay: what its random decisions start from.") var seed: UInt64 = 1
    @Option(help: "clock: how many seconds the agent's monotonic and boot clocks jump.") var seconds = FaultOptions().clockStepSeconds

    var options: FaultOptions {
        var options = FaultOptions(link: link, direction: direction)
        options.lossPercent = loss
        options.delayMilliseconds = delay
        options.jitterMilliseconds = jitter
        options.reorderPercent = reorder
        options.seed = seed
        options.clockStepSeconds = seconds
        return options
    }
}

struct LabFault: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fault", abstract: "Break something of a host; 'neutrino lab heal' undoes it.",
        discussion: """
            power             both uplinks lose their carrier and every process of the host is killed
            uplink            both uplinks lose their carrier
            ha                the host drops what HA routers tell each other (VRRP, replicated connections)
            control           the host drops what it and the server tell each other
            loss              a link loses frames: --direction, --loss PERCENT
            delay             a link delays frames: --delay MS, --jitter MS, --reorder PERCENT, --loss PERCENT
            agent             the agent is killed
            keepalived        every keepalived of the host is killed
            agent-hang        the agent is stopped (SIGSTOP)
            keepalived-hang   every keepalived of the host is stopped (SIGSTOP)
            clock             the agent starts again with its monotonic and boot clocks --seconds ahead (the wall clock is the
                              machine's: Linux has no namespace of it)
            disk              the disk with the agent's state is full

            Faults add up, and several may be named: neutrino lab fault h1 ha control. Of loss and delay on one link the last holds.
            For example, one-way loss: neutrino lab fault h1 loss --direction sent --loss 30
            """)

    @Argument(help: "The host: h1, h2, …") var host: String
    @Argument(help: "What breaks.") var faults: [Fault]
    @OptionGroup var arguments: FaultArguments
    @OptionGroup var lab: LabOptions

    func run() async throws {
        let host = try lab.open().host(host)
        for fault in faults { try await host.fault(fault, arguments.options) }
    }
}

struct LabHeal: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "heal", abstract: "Undo the faults of a host.",
        discussion: """
            Links are up and carry everything at once, nothing is dropped, processes that were stopped go on, the disk has room, the agent runs
            with the machine's clock. After 'power' the host boots: of what its kernel held nothing is left.
            """)

    @Argument(help: "The host: h1, h2, …") var host: String
    @OptionGroup var lab: LabOptions

    func run() async throws { try await lab.open().host(host).heal() }
}

/// Part of a link that delays, not for people.
struct LabWire: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wire", abstract: "Carry frames between two devices, late.", shouldDisplay: false)

    @Option(help: "A process in the network namespace of the devices.") var networkOf: Int32
    @Option(help: "The device behind which the host is.") var hostDevice: String
    @Option(help: "The device behind which everything else is.") var fabricDevice: String
    @OptionGroup var arguments: FaultArguments

    func run() async throws {
        try Wire.run(inNamespaceOfProcess: networkOf, host: hostDevice, fabric: fabricDevice, arguments.options)
    }
}
