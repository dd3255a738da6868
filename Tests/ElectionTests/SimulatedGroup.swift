import Addressing
import NetworkModel

@testable import Election

/// Hosts with an `Election` and keepalived each, a network between them and virtual time. The same seed gives the same run.
final class SimulatedGroup {
    struct Host {
        var isPowered = true
        var agent: Election?
        /// Stopped for a while: events wait.
        var isFrozen = false
        var waiting: [ElectionEvent] = []
        var startID: UInt64 = 0
        var hasCarrier = true
        var isDraining = false
        var daemons: [SimulatedDaemon] = []
        var listens: Set<Int> = []
        /// By router: the host keeps the daemon's advertisements in, or others' from it.
        var mutedUntil: [Int: Int] = [:]
        var deafUntil: [Int: Int] = [:]
        var wakeToken = 0
        var wakeAt: Int?
        var gateway = Reachability.unknown
        var kernel = SimulatedKernel()
    }

    struct Traffic: Equatable {
        var injections = 0
        var announcements = 0
        /// Of who has no addresses (any more).
        var strayAnnouncements = 0
        var strips = 0
        var restarts = 0
        var datagrams = 0
        var bytes = 0
        var ownerChanges = 0
        /// After which the next was due at once.
        var uselessTicks = 0
    }

    var generator: SeededGenerator
    var queue = EventQueue()
    var now = 0
    var hosts: [Host]
    let routers: [ResourceID]
    /// The hosts of each router, those first that are preferred.
    let members: [[Int]]
    let intervalMilliseconds: Int
    var settings = ElectionSettings()
    var hasGateway = false

    /// Probabilities that a packet from one host to another is lost.
    var underlayLoss: [[Double]]
    var advertisementLoss: [[Double]]
    /// Packets take 0 to so many milliseconds, each its own.
    var jitterMilliseconds = 1

    /// keepalived acts on what we inject after 0 to so many milliseconds: many at once on a busy host.
    var daemonLatencyMilliseconds = 0
    /// What a new master asks its host's kernel for, one after the other; 0: the kernel does it at once.
    var takeoverRequests = 0

    /// How long a host takes until it filters a router's advertisements; nil: it never does.
    var filterMilliseconds: ClosedRange<Int>? = 0...14

    var traffic = Traffic()
    var conflicts: [String] = []
    var peerChanges: [PeerLiveness] = []
    /// Per router: since when it has no owner, or several, and the longest such times.
    var ownerlessSince: [Int?]
    var contestedSince: [Int?]
    var longestOwnerless = 0
    var longestContested = 0
    /// Of which two members were master, and the one that is left has not announced its addresses since.
    var unannounced: Set<Int> = []
    /// Every datagram sent, when that is asked for.
    var datagrams: [[UInt8]]?

    init(
        hosts count: Int, routers routerCount: Int = 1, seed: UInt64 = 1, spread: Bool = false, interval: Int = 1000,
        members: ((Int) -> [Int])? = nil
    ) {
        intervalMilliseconds = interval
        generator = SeededGenerator(seed: seed)
        routers = (0..<routerCount).map { ResourceID(rawValue: UInt128($0 + 1)) }
        let groups = (0..<routerCount).map { members?($0) ?? Array(0..<count) }
        self.members = groups
        hosts = Array(repeating: Host(), count: count)
        underlayLoss = Array(repeating: Array(repeating: 0, count: count), count: count)
        advertisementLoss = underlayLoss
        ownerlessSince = Array(repeating: 0, count: routerCount)
        contestedSince = Array(repeating: nil, count: routerCount)
        for host in hosts.indices {
            hosts[host].daemons = routers.indices.map {
                let place = spread ? (host + $0) % count : groups[$0].firstIndex(of: host) ?? 0
                return SimulatedDaemon(address: advertisingAddress(host), priority: 254 - 4 * place, intervalMilliseconds: interval)
            }
        }
    }

    func endpoint(_ host: Int) -> IPAddress { .v4(IPv4Address(rawValue: 0x0A00_0001 + UInt32(host))) }
    func advertisingAddress(_ host: Int) -> IPAddress { .v4(IPv4Address(rawValue: 0xA9FE_C001 + UInt32(host))) }

    func configuration(_ host: Int) -> [ElectionRouter] {
        routers.indices.filter { members[$0].contains(host) }.map { router in
            ElectionRouter(
                id: routers[router], localAddress: advertisingAddress(host), priority: hosts[host].daemons[router].priority,
                isDraining: hosts[host].isDraining,
                peers: members[router].filter { $0 != host }.map { peer in
                    ElectionRouter.Peer(
                        hostID: "host\(peer)", address: advertisingAddress(peer), endpoint: endpoint(peer),
                        priority: hosts[peer].daemons[router].priority, isDraining: hosts[peer].isDraining)
                }, advertisementIntervalMilliseconds: intervalMilliseconds,
                gatewayKey: hasGateway ? "gateway" : nil)
        }
    }

    // MARK: - Time

    func after(_ milliseconds: Int, _ body: @escaping () -> Void) { queue.add(at: now + milliseconds, body) }

    func run(_ milliseconds: Int) {
        let end = now + milliseconds
        while let next = queue.nextTime, next <= end, let event = queue.takeFirst() {
            now = max(now, event.time)
            event.body()
        }
        now = end
    }

    /// The milliseconds until the condition holds; nil when it does not within the limit.
    func run(limit: Int, until condition: () -> Bool) -> Int? {
        let start = now
        while now <= start + limit {
            if condition() { return now - start }
            run(1)
        }
        return nil
    }

    // MARK: - Owners

    /// Hosts that have the router's addresses and can be reached.
    func owners(_ router: Int) -> [Int] {
        hosts.indices.filter { hosts[$0].isPowered && hosts[$0].hasCarrier && hosts[$0].daemons[router].hasAddresses }
    }

    /// Every router has one owner; which one is equal when `host` is nil.
    func isSettled(on host: Int? = nil) -> Bool {
        routers.indices.allSatisfy {
            let owners = owners($0)
            return owners.count == 1 && (host == nil || owners[0] == host)
        }
    }

    func forgetTimes() {
        longestOwnerless = 0
        longestContested = 0
        traffic = Traffic()
        unannounced = []
        for router in routers.indices { countOwners(router) }
        for router in routers.indices {
            if ownerlessSince[router] != nil { ownerlessSince[router] = now }
            if contestedSince[router] != nil { contestedSince[router] = now }
        }
    }

    /// Counts the times that still run as well.
    func closeTimes() {
        for since in ownerlessSince { if let since { longestOwnerless = max(longestOwnerless, now - since) } }
        for since in contestedSince { if let since { longestContested = max(longestContested, now - since) } }
    }

    func countOwners(_ router: Int) {
        let count = owners(router).count
        if count == 0 {
            ownerlessSince[router] = ownerlessSince[router] ?? now
        } else if let since = ownerlessSince[router] {
            longestOwnerless = max(longestOwnerless, now - since)
            ownerlessSince[router] = nil
        }
        if count > 1 {
            contestedSince[router] = contestedSince[router] ?? now
        } else if let since = contestedSince[router] {
            longestContested = max(longestContested, now - since)
            contestedSince[router] = nil
            unannounced.insert(router)
        }
    }

    // MARK: - Networks

    private func transmit(_ loss: [[Double]], from: Int, to: Int, _ body: @escaping () -> Void) {
        let chance = Double(generator.next() % 1_000_000) / 1_000_000
        let delay = jitterMilliseconds == 0 ? 0 : Int(generator.next() % UInt64(jitterMilliseconds + 1))
        guard hosts[from].isPowered, hosts[from].hasCarrier, chance >= loss[from][to] else { return }
        after(delay) {
            guard self.hosts[to].isPowered, self.hosts[to].hasCarrier else { return }
            body()
        }
    }

    // MARK: - Agents

    func tell(_ host: Int, _ event: ElectionEvent) {
        guard hosts[host].isPowered, hosts[host].agent != nil else { return }
        guard !hosts[host].isFrozen else {
            // A socket's buffer is full some time; what keepalived says and that it ended is there later.
            if case .pulse = event, hosts[host].waiting.count >= 1000 { return }
            hosts[host].waiting.append(event)
            return
        }
        let actions = hosts[host].agent?.handle(event, now: now) ?? []
        perform(actions, of: host)
        // A look that is due again at once would keep a real thread from everything else.
        if event == .tick, let next = hosts[host].agent?.nextDeadline, next <= now { traffic.uselessTicks += 1 }
        scheduleWake(host)
    }

    func configure(_ host: Int) {
        guard hosts[host].isPowered, hosts[host].agent != nil else { return }
        let configuration = configuration(host)
        let actions = hosts[host].agent?.update(routers: configuration, now: now) ?? []
        perform(actions, of: host)
        scheduleWake(host)
    }

    private func scheduleWake(_ host: Int) {
        guard let next = hosts[host].agent?.nextDeadline, hosts[host].wakeAt != next else { return }
        hosts[host].wakeAt = next
        hosts[host].wakeToken += 1
        let token = hosts[host].wakeToken
        queue.add(at: max(next, traffic.uselessTicks > 0 ? now + 1 : now)) {
            guard self.hosts[host].wakeToken == token else { return }
            self.hosts[host].wakeAt = nil
            self.tell(host, .tick)
        }
    }

    private func perform(_ actions: [ElectionAction], of host: Int) {
        for action in actions {
            switch action {
            case .send(let bytes, let endpoint): send(bytes, from: host, to: endpoint)
            case .echo(let endpoint):
                guard let target = hosts.indices.first(where: { self.endpoint($0) == endpoint }) else { continue }
                transmit(underlayLoss, from: host, to: target) {
                    self.transmit(self.underlayLoss, from: target, to: host) { self.tell(host, .echoReply(from: endpoint)) }
                }
            case .inject(let id, let source, let priority):
                traffic.injections += 1
                let router = position(id)
                let latency = daemonLatencyMilliseconds == 0 ? 0 : Int(generator.next() % UInt64(daemonLatencyMilliseconds + 1))
                after(latency) { self.hear(SimulatedDaemon.Advertisement(source: source, priority: priority), router: router, on: host) }
            case .announce(let id):
                traffic.announcements += 1
                if owners(position(id)) == [host] { unannounced.remove(position(id)) }
                if !hosts[host].daemons[position(id)].hasAddresses { traffic.strayAnnouncements += 1 }
            case .strip(let id):
                traffic.strips += 1
                hosts[host].daemons[position(id)].hasAddresses = false
                countOwners(position(id))
            case .deafen(let id, let milliseconds):
                filter(host) {
                    self.hosts[host].deafUntil[self.position(id)] = self.now + milliseconds
                    return .deafened(id)
                }
            case .mute(let id, let milliseconds):
                filter(host) {
                    self.hosts[host].mutedUntil[self.position(id)] = self.now + milliseconds
                    return .muted(id)
                }
            // Whether it hangs is looked at outside of the election.
            case .suspectDaemon: break
            case .restartDaemon(let id):
                traffic.restarts += 1
                after(50) { self.startDaemon(self.position(id), on: host) }
            case .listen(let id, let begins):
                if begins { hosts[host].listens.insert(position(id)) } else { hosts[host].listens.remove(position(id)) }
            case .conflict(_, let other, let isOver): conflicts.append("host\(host) \(other) \(isOver ? "over" : "begins")")
            case .peerChanged(_, let liveness): peerChanges.append(liveness)
            }
        }
    }

    /// Does something when the host gets round to it, and tells the agent.
    private func filter(_ host: Int, _ body: @escaping () -> ElectionEvent) {
        guard let times = filterMilliseconds else { return }
        let start = times.lowerBound + Int(generator.next() % UInt64(times.count))
        after(start) {
            let event = body()
            self.after(1) { self.tell(host, event) }
        }
    }

    private func send(_ bytes: [UInt8], from host: Int, to endpoint: IPAddress) {
        traffic.datagrams += 1
        traffic.bytes += bytes.count
        datagrams?.append(bytes)
        guard let target = hosts.indices.first(where: { self.endpoint($0) == endpoint }) else { return }
        transmit(underlayLoss, from: host, to: target) {
            if self.hosts[target].agent != nil {
                self.tell(target, .pulse(from: self.endpoint(host), bytes: bytes))
            } else {
                self.transmit(self.underlayLoss, from: target, to: host) { self.tell(host, .unreachable(from: endpoint)) }
            }
        }
    }

    func position(_ id: ResourceID) -> Int { Int(id.rawValue) - 1 }

    // MARK: - Daemons

    func startDaemon(_ router: Int, on host: Int) {
        guard hosts[host].isPowered, members[router].contains(host) else { return }
        let outcome = hosts[host].daemons[router].start(now: now)
        conclude(outcome, router: router, on: host)
    }

    func hear(_ advertisement: SimulatedDaemon.Advertisement, router: Int, on host: Int) {
        guard hosts[host].isPowered else { return }
        let outcome = hosts[host].daemons[router].hear(advertisement, now: now)
        conclude(outcome, router: router, on: host)
    }

    func conclude(_ outcome: SimulatedDaemon.Outcome, router: Int, on host: Int) {
        if outcome.wantsAddresses {
            if takeoverRequests == 0 { takeAddresses(router, on: host) } else { ask(host, for: router) }
        }
        if let isMaster = outcome.notification { notify(isMaster, router: router, on: host) }
        if outcome.advertises { advertise(router, from: host) }
        scheduleDaemon(router, on: host)
    }

    private func notify(_ isMaster: Bool, router: Int, on host: Int) {
        traffic.ownerChanges += 1
        countOwners(router)
        after(2) { self.tell(host, .member(self.routers[router], isMaster ? .master : .backup)) }
    }

    private func takeAddresses(_ router: Int, on host: Int) {
        guard hosts[host].daemons[router].takeAddresses() else { return }
        notify(true, router: router, on: host)
        // A new master announces them by itself.
        if owners(router) == [host] { unannounced.remove(router) }
    }

    private func ask(_ host: Int, for router: Int) {
        if hosts[host].kernel.isIdle { after(1) { self.work(host) } }
        hosts[host].kernel.add(router, requests: takeoverRequests)
    }

    private func work(_ host: Int) {
        for router in hosts[host].kernel.work() { takeAddresses(router, on: host) }
        if !hosts[host].kernel.isIdle { after(1) { self.work(host) } }
    }

    private func scheduleDaemon(_ router: Int, on host: Int) {
        guard let time = hosts[host].daemons[router].timer else { return }
        queue.add(at: time) {
            let daemon = self.hosts[host].daemons[router]
            guard self.hosts[host].isPowered, daemon.isRunning, !daemon.isStopped, daemon.timer == time else { return }
            let outcome = self.hosts[host].daemons[router].fire(now: self.now)
            self.conclude(outcome, router: router, on: host)
        }
    }

    private func advertise(_ router: Int, from host: Int) {
        let daemon = hosts[host].daemons[router]
        if now < hosts[host].mutedUntil[router] ?? now { return }
        let advertisement = SimulatedDaemon.Advertisement(source: daemon.address, priority: daemon.priority)
        for peer in members[router] where peer != host {
            transmit(advertisementLoss, from: host, to: peer) {
                // It is heard at the host's end of the HA device, and does not get to the daemon.
                let isDeaf = self.now < self.hosts[peer].deafUntil[router] ?? self.now
                if self.hosts[peer].listens.contains(router) {
                    self.tell(peer, .advertisementHeard(self.routers[router], from: daemon.address))
                }
                if !isDeaf { self.hear(advertisement, router: router, on: peer) }
            }
        }
    }
}
