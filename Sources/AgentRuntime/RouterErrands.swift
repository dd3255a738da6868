import Converters
import Dispatch
import Election
import HostModel
import KernelInterface
import Logging
import NetworkModel
import ServiceProcesses
import Synchronization

/// Small things that are done to a router beside the cycle, which may be long: on queues of their own.
struct RouterErrands: Sendable {
    /// After a takeover: reading the whole table of connections must not compete with it.
    static let adoptionSeconds = 5
    static let commandTimeoutMilliseconds = 10_000

    private let kernel: any NetworkKernel
    private let processes: any ProcessHost
    private let settings: AgentSettings
    private let logger: Logger
    /// Does what packets wait for, one after the other.
    private let urgently: AgentSenses.Worker
    private let announcing = Waiting()
    private let filters = WaitingFilters()
    /// Scripts of nft wait for one another: what is urgent does not wait behind them.
    private let filtering = DispatchQueue(label: "agent.errands.filters", qos: .userInteractive)
    /// What nobody waits for, one after the other.
    private let patient = DispatchQueue(label: "agent.errands.patient", qos: .background)

    init(
        kernel: any NetworkKernel, processes: any ProcessHost, settings: AgentSettings, logger: Logger,
        urgently: @escaping AgentSenses.Worker
    ) {
        self.kernel = kernel
        self.processes = processes
        self.settings = settings
        self.logger = logger
        self.urgently = urgently
    }

    /// Has conntrackd take the connections that other masters made for its own, or no longer: see ``ConntrackdDaemon``.
    func own(connectionsOf id: ResourceID, _ isOwner: Bool) {
        let paths = RouterConverter.conntrackdPaths(of: id, settings: settings)
        let command = isOwner ? ConntrackdDaemon.adoptCommand(paths: paths) : ConntrackdDaemon.disownCommand(paths: paths)
        patient.async {
            do throws(KernelError) {
                try processes.start(command, in: RouterConverter.namespace(of: id), timeoutMilliseconds: Self.commandTimeoutMilliseconds)
            } catch {
                logger.warning("conntrackd did not take a command", metadata: ["router": "\(id)", "error": "\(error)"])
            }
        }
    }

    /// Does what the election wants done at once: packets go the old way until a router is announced, so that neither waits for a cycle, which a drain
    /// starts on all its hosts, nor for a task's turn.
    func run(_ errand: ElectionErrand, for election: ElectionSense) {
        switch errand {
        case .announce(let id): announce(id, isDue: election.isAnnouncementDue)
        case .deafen(_, let device, let milliseconds): filter(.toDevice(device), milliseconds: milliseconds) { election.noteDone(errand) }
        case .mute(_, let device, let milliseconds): filter(.fromDevice(device), milliseconds: milliseconds) { election.noteDone(errand) }
        }
    }

    /// Tells the neighbours of every address that the router has here (gratuitous ARP, unsolicited neighbour advertisements). An announcement that
    /// still waits is as good as another.
    ///
    /// - Parameter isDue: whether that is still to be done: the member may have given way while it waited.
    func announce(_ id: ResourceID, isDue: @escaping @Sendable (ResourceID) -> Bool) {
        guard announcing.begin(id) else { return }
        let namespace = RouterConverter.namespace(of: id)
        perform("announce the addresses of router \(id)") { [announcing] () throws(KernelError) in
            announcing.end(id)
            let shared: [LinkAddress] = try kernel.addresses(in: namespace).filter(Self.isShared)
            guard isDue(id) else { return }
            try kernel.announce(shared, in: namespace)
        }
    }

    /// Keeps advertisements from a keepalived that hands over, or its own from the others: see ``HandoverFilter``. Comes in time mostly; without it a
    /// packet or two may be lost.
    ///
    /// - Parameter whenDone: called when the kernel has the filter.
    private func filter(
        _ advertisements: HandoverFilter.Advertisements, milliseconds: Int, whenDone: @escaping @Sendable () -> Void
    ) {
        guard filters.add(advertisements, WaitingFilters.Filter(milliseconds: milliseconds, whenDone: whenDone)) else { return }
        filtering.async {
            // All that wait by now in one script: a host that drains hands many routers over at once, and none waits for the others' scripts.
            let waiting = filters.take()
            do throws(KernelError) {
                try kernel.perform(.applyFirewall(script: HandoverFilter.script(waiting.mapValues(\.milliseconds)), nil))
                for filter in waiting.values { filter.whenDone() }
            } catch {
                logger.warning("Handovers go without their filter", metadata: ["of": "\(waiting.keys)", "error": "\(error)"])
            }
        }
    }

    /// Removes every address that only the master has.
    ///
    /// - Parameter isDue: whether that is still to be done: it waits for others, and the member may become master meanwhile.
    func strip(_ id: ResourceID, _ router: HostRouter?, isDue: @escaping @Sendable (ResourceID) -> Bool) {
        let namespace = RouterConverter.namespace(of: id)
        guard let router else { return }
        perform("take the addresses of router \(id) away") { () throws(KernelError) in
            guard isDue(id) else { return }
            let found = try kernel.addresses(in: namespace)
            for address in RouterOwnership.staleAddresses(of: router, addresses: found, isKeepalivedRunning: false) where isDue(id) {
                try kernel.perform(.removeAddress(address, namespace))
            }
        }
    }

    private static func isShared(_ address: LinkAddress) -> Bool { address.link.hasPrefix("qr-") || address.link.hasPrefix("qg-") }

    private func perform(_ what: String, _ body: @escaping @Sendable () throws(KernelError) -> Void) {
        urgently {
            do throws(KernelError) { try body() } catch {
                logger.error("Could not \(what)", metadata: ["error": "\(error)"])
            }
        }
    }
}

/// What is to be kept from passing until a script does it.
private final class WaitingFilters: Sendable {
    struct Filter {
        var milliseconds: Int
        var whenDone: @Sendable () -> Void
    }

    private let filters = Mutex<[HandoverFilter.Advertisements: Filter]>([:])

    /// False when others wait already: the script that is due does this too.
    func add(_ advertisements: HandoverFilter.Advertisements, _ filter: Filter) -> Bool {
        filters.withLock { filters in
            let isFirst = filters.isEmpty
            filters[advertisements] = filter
            return isFirst
        }
    }

    func take() -> [HandoverFilter.Advertisements: Filter] {
        filters.withLock { filters in
            defer { filters = [:] }
            return filters
        }
    }
}

/// Routers for which something is asked and not yet begun.
private final class Waiting: Sendable {
    private let ids = Mutex<Set<ResourceID>>([])

    /// False when the router waits already.
    func begin(_ id: ResourceID) -> Bool { ids.withLock { $0.insert(id).inserted } }
    func end(_ id: ResourceID) { ids.withLock { _ = $0.remove(id) } }
}
