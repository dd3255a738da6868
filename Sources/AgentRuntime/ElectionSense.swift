import Converters
import Election
import HostModel
import Logging
import NetworkModel
import ServiceProcesses

/// Whoever runs the host's ``Election``, as the agent sees it.
public struct ElectionSense: Sendable {
    /// What happens. One task reads; the end of the stream says that nobody runs the election any more.
    public var news: AsyncStream<ElectionNews>
    /// All members of this host.
    public var update: @Sendable ([ElectionMember]) -> Void
    /// What the agent saw of a member; headless where addresses are left of a keepalived that does not run.
    public var note: @Sendable (ResourceID, MemberState) -> Void
    /// The keepalived of each router, whose end matters.
    public var watch: @Sendable ([ResourceID: Int32]) -> Void
    /// Whether addresses that news said to take away shall still go.
    public var isStripDue: @Sendable (ResourceID) -> Bool
    /// Whether an announcement that an errand asked for shall still be made.
    public var isAnnouncementDue: @Sendable (ResourceID) -> Bool
    /// Chooses who does errands, before the first update. It is called at the moment at which they are due and must not block.
    public var setErrandRunner: @Sendable (@escaping @Sendable (ElectionErrand) -> Void) -> Void
    /// An errand to make a device deaf or mute is done since just now.
    public var noteDone: @Sendable (ElectionErrand) -> Void
    /// Ends it; blocks until it has.
    public var stop: @Sendable () -> Void

    public init(
        news: AsyncStream<ElectionNews>, update: @escaping @Sendable ([ElectionMember]) -> Void,
        note: @escaping @Sendable (ResourceID, MemberState) -> Void,
        watch: @escaping @Sendable ([ResourceID: Int32]) -> Void, isStripDue: @escaping @Sendable (ResourceID) -> Bool,
        isAnnouncementDue: @escaping @Sendable (ResourceID) -> Bool = { _ in true },
        setErrandRunner: @escaping @Sendable (@escaping @Sendable (ElectionErrand) -> Void) -> Void = { _ in },
        noteDone: @escaping @Sendable (ElectionErrand) -> Void = { _ in },
        stop: @escaping @Sendable () -> Void
    ) {
        self.news = news
        self.update = update
        self.note = note
        self.watch = watch
        self.isStripDue = isStripDue
        self.isAnnouncementDue = isAnnouncementDue
        self.setErrandRunner = setErrandRunner
        self.noteDone = noteDone
        self.stop = stop
    }
}

extension ElectionMember {
    /// Nil for what has no part in an election: a standalone router, one that is administratively down, a member without an address, or one that
    /// VRRP cannot speak for.
    init?(_ router: HostRouter, settings: AgentSettings) {
        guard router.isAdminStateUp, let redundancy = router.redundancy, let address = redundancy.port.addresses.first?.address,
            RouterConverter.problem(of: redundancy) == nil
        else { return nil }
        let gateway = router.gateway.flatMap(Self.gateway)
        let election = ElectionRouter(
            id: router.id, localAddress: address, priority: redundancy.priority, isDraining: redundancy.isDraining,
            peers: redundancy.peers.map {
                ElectionRouter.Peer(
                    hostID: $0.hostID, address: $0.address, endpoint: $0.endpoint, priority: $0.priority, isDraining: $0.isDraining)
            }, advertisementIntervalMilliseconds: redundancy.advertisementIntervalMilliseconds, gatewayKey: gateway?.key)
        self.init(
            router: election, device: ServiceLink.outerName(redundancy.port.id), mac: redundancy.port.mac,
            virtualRouterID: redundancy.virtualRouterID, vrrpVersion: redundancy.vrrpVersion, password: redundancy.password,
            notifyPipe: RouterConverter.paths(of: router.id, settings: settings).notifyPipe, gateway: gateway)
    }

    /// Of a port with addresses of both families the IPv4 gateway is asked: both are nearly always one device.
    private static func gateway(_ port: HostRouter.RouterPort) -> Gateway? {
        guard port.isAdminStateUp else { return nil }
        let own = port.gateways.filter { gateway in port.addresses.contains { $0.address.version == gateway.version } }
        let address = own.first { $0.version == .v4 } ?? own.first
        return address.map { Gateway(bridge: L2Names.bridge(port.networkID), address: $0) }
    }
}

extension Agent {
    /// How long a keepalived that died waits for a successor before it is started again, whatever is heard.
    static let successionMilliseconds = 1000

    private var currentMembers: [ElectionMember] {
        view.routers.values.compactMap { ElectionMember($0, settings: configuration.settings) }.sorted { $0.router.id < $1.router.id }
    }

    /// Tells the election of members that this cycle will make, before it does. A cycle that makes many takes longer than a keepalived waits for
    /// advertisements: the election keeps the first ones from taking over what has a master. Those that go stay known until they have gone.
    func expectMembers() {
        guard let election = senses.election else { return }
        let known = Set(electionMembers.map(\.router.id))
        let new = currentMembers.filter { !known.contains($0.router.id) }
        guard !new.isEmpty else { return }
        electionMembers = (electionMembers + new).sorted { $0.router.id < $1.router.id }
        election.update(electionMembers)
    }

    /// Tells the election which members there are. After a cycle: their devices and pipes are there.
    func refreshElection() {
        guard let election = senses.election else { return }
        let current = currentMembers
        if current != electionMembers {
            electionMembers = current
            election.update(current)
        }
        var keepaliveds: [ResourceID: Int32] = [:]
        for (key, process) in reconciler.daemonProcesses {
            guard let id = KeepalivedDaemon.router(ofKey: key).flatMap({ ResourceID($0) }) else { continue }
            keepaliveds[id] = process
        }
        if !keepaliveds.isEmpty { election.watch(keepaliveds) }
    }

    /// What the election wants done at once is no news (``RouterErrands/run(_:for:)``): these wait for cycles and for their task's turn.
    nonisolated func followElection() async {
        guard let election = senses.election else { return }
        for await news in election.news {
            if Task.isCancelled { break }
            await take(news)
        }
        election.stop()
    }

    private func take(_ news: ElectionNews) {
        switch news {
        case .notified(let id, let line): heard(line, of: id)
        case .strip(let id):
            logger.warning("Taking a router's addresses away from a member that has lost it", metadata: ["router": "\(id)"])
            if let election = senses.election { errands.strip(id, view.routers[id], isDue: election.isStripDue) }
            set(.standby, of: id)
        case .restartDaemon(let id):
            let key = KeepalivedDaemon.key(router: id.description)
            watches[key]?.isReleased = true
            reconciler.releaseDaemon(key)
            reconciler.markDaemonDirty(key)
            cycleWakeUp()
        case .conflict(let id, let host, let isOver):
            let metadata: Logger.Metadata = ["router": "\(id)", "other": "\(host)"]
            outbox.set(conflict: isOver ? nil : HostStatus.MasterConflict(routerID: id, hostID: host), of: id)
            reportWakeUp()
            if isOver {
                logger.notice("A router has one master again", metadata: metadata)
            } else {
                logger.warning("Two members of a router are master", metadata: metadata)
            }
        case .peer(let address, let isAlive):
            logger.notice(isAlive ? "A host is alive" : "A host is dead", metadata: ["endpoint": "\(address)"])
        case .problem(let sentence): logger.warning("\(sentence)")
        }
    }
}
