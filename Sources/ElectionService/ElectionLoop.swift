import Addressing
import CLinux
import Election
import Glibc
import KernelInterface
import NetworkModel
import ServiceProcesses

/// The body of the election's thread: waits for descriptors and deadlines, asks the ``Election`` what follows, and does it.
///
/// Confined to that thread.
final class ElectionLoop {
    static let maximumEvents = 64
    /// Waits end at the latest after this, so that a deadline which was missed by a mistake costs no more.
    static let maximumWaitMilliseconds = 1000
    /// A wake-up that is later than this looks at the sockets before it lets the election judge.
    static let lateMilliseconds = 5
    static let pipeReadBytes = 4096
    /// What one look takes from a pipe at most, together all that a pipe holds: pipe(7).
    static let maximumPipeReads = 16
    /// How often pipes are looked for that are not there yet: a router's are made shortly before its keepalived starts.
    static let pipeLookMilliseconds = 200

    /// What a descriptor is for.
    enum Source {
        case bell, pulses, echoes, links
        case pipe(ResourceID)
        case process(ResourceID)
        case listener(ResourceID)
        case suspect(ResourceID)
        case gateway(String)
    }

    private struct Pipe {
        var descriptor: Int32
        var path: String
        var reader = KeepalivedNotificationReader()
    }

    private var election: Election
    private let tunnelAddress: IPAddress
    private let sockets: PeerSockets
    /// Whom the sockets let in; nil: everybody.
    private var admitted: Set<IPAddress>?
    let frames: FrameSender
    private let carrier: CarrierWatch
    private let bell: Int32
    private let tell: (ElectionNews) -> Void
    private let doErrand: (ElectionErrand) -> Void
    private let forgotten: (ResourceID) -> Void
    private let waitSet: Int32
    private var sources: [Int32: Source] = [:]
    var members: [ResourceID: ElectionMember] = [:]
    private var pipes: [ResourceID: Pipe] = [:]
    /// Nil while all are there.
    private var nextPipeLook: Int?
    /// Without a descriptor: its end was told, and is not told again while the agent still believes in it.
    private var processes: [ResourceID: (process: Int32, descriptor: Int32?)] = [:]
    let listeners = AdvertisementListeners()
    var gateways: [String: GatewayProbe] = [:]
    /// Peers that were told to be alive.
    private(set) var living: Set<IPAddress> = []
    private let silence = SilenceWatch()
    private var underlay = UnderlayWatch()
    /// What the agent saw of members that its next update makes known: it looks first.
    private var seen: [ResourceID: MemberState] = [:]
    /// Added since the last wait: what was then ready under such a number was of another descriptor, which was closed.
    private var added: Set<Int32> = []

    init(
        settings: ElectionSettings, tunnelAddress: IPAddress, startID: UInt64, bell: Int32, tell: @escaping (ElectionNews) -> Void,
        doErrand: @escaping (ElectionErrand) -> Void = { _ in }, forgotten: @escaping (ResourceID) -> Void = { _ in }
    ) throws(KernelError) {
        election = Election(settings: settings, startID: startID)
        self.tunnelAddress = tunnelAddress
        sockets = try PeerSockets(local: tunnelAddress, identifier: UInt16(truncatingIfNeeded: startID))
        frames = try FrameSender()
        carrier = try CarrierWatch(address: tunnelAddress, now: Self.now)
        waitSet = try opened(clinux_poll_set(), "wait for descriptors")
        self.bell = bell
        self.tell = tell
        self.doErrand = doErrand
        self.forgotten = forgotten
        try add(bell, .bell)
        try add(sockets.pulses, .pulses)
        try add(sockets.echoes, .echoes)
        try add(carrier.descriptor, .links)
    }

    deinit {
        for pipe in pipes.values { close(pipe.descriptor) }
        for case let descriptor? in processes.values.map(\.descriptor) { close(descriptor) }
        close(waitSet)
    }

    /// What a member is taken for; nil for routers that are not here.
    func state(of id: ResourceID) -> MemberState? { election.state(of: id) }

    // MARK: Waiting

    /// Runs until `mail` answers nil.
    func run(mail: () -> [ElectionThread.Message]?) {
        var ready = [Int32](repeating: 0, count: Self.maximumEvents)
        handle(.carrier(isUp: carrier.isUp))
        while true {
            let deadline = nextDeadline
            let wait = min(max(deadline - Self.now, 0), Self.maximumWaitMilliseconds)
            added.removeAll(keepingCapacity: true)
            let count = clinux_poll_wait(waitSet, &ready, Int32(ready.count), Int32(wait))
            if Self.now > deadline + Self.lateMilliseconds { readPeers() }
            for descriptor in ready.prefix(Int(max(count, 0))) {
                guard let source = sources[descriptor], !added.contains(descriptor) else { continue }
                if case .bell = source {
                    drainBell()
                    guard let messages = mail() else { return }
                    for message in messages { take(message) }
                } else {
                    read(source)
                }
            }
            probeGateways()
            renewListeners()
            lookForPipes()
            lookAtUnderlay()
            judgeSuspects()
            if let due = election.nextDeadline, Self.now >= due { handle(.tick) }
        }
    }

    private var nextDeadline: Int {
        let probes = gateways.values.lazy.map(\.watch.nextRequest).min()
        let look = underlay.nextLook ?? .max / 2
        let verdict = silence.nextDeadline ?? .max / 2
        let renewal = listeners.nextDeadline ?? .max / 2
        return min(election.nextDeadline ?? .max / 2, probes ?? .max / 2, look, verdict, renewal, nextPipeLook ?? .max / 2)
    }

    private func lookAtUnderlay() {
        if underlay.look(isIsolated: election.isIsolated, now: Self.now, receivedPackets: { carrier.receivedPackets }) {
            handle(.underlayHeard)
        }
    }

    private func read(_ source: Source) {
        switch source {
        case .bell: return
        case .pulses, .echoes: readPeers()
        case .links: if let isUp = carrier.read(now: Self.now) { handle(.carrier(isUp: isUp)) }
        case .pipe(let id): readPipe(id)
        case .process(let id): processEnded(id)
        case .listener(let id): readListener(id)
        case .suspect(let id): if silence.read(id) { acquit(id) }
        case .gateway(let key): readGateway(key)
        }
    }

    private func readPeers() {
        var signs: [PeerSockets.Sign] = []
        sockets.readPulses { signs.append($0) }
        sockets.readEchoes { signs.append($0) }
        for sign in signs {
            // Anyone can send to the port: what no peer sent costs no more than its arrival.
            guard election.liveness(of: sign.address) != nil else { continue }
            switch sign {
            case .pulse(let address, let bytes): handle(.pulse(from: address, bytes: bytes))
            case .echo(let address): handle(.echoReply(from: address))
            case .refusal(let address): handle(.unreachable(from: address))
            }
        }
    }

    private func drainBell() {
        var count: UInt64 = 0
        _ = Glibc.read(bell, &count, MemoryLayout<UInt64>.size)
    }

    // MARK: The agent's messages

    private func take(_ message: ElectionThread.Message) {
        switch message {
        case .update(let new): update(new)
        case .member(let id, let state): if members[id] == nil { seen[id] = state } else { note(id, state) }
        case .watch(let processes): for (id, process) in processes { watch(id, process) }
        case .done(let errand): if let event = errand.doneEvent { handle(event) }
        }
    }

    private func update(_ new: [ElectionMember]) {
        let before = members
        members = Dictionary(new.map { ($0.router.id, $0) }, uniquingKeysWith: { $1 })
        for id in before.keys where members[id] == nil { forget(id) }
        for member in new where pipes[member.router.id]?.path != member.notifyPipe { openPipe(member) }
        updateGateways()
        admitPeers()
        let actions = election.update(routers: new.map(\.router), now: Self.now)
        living = living.filter { election.liveness(of: $0) != nil }
        perform(actions)
        for (id, state) in seen { note(id, state) }
        seen = [:]
    }

    private func admitPeers() {
        let endpoints = Set(
            members.values.flatMap { $0.router.peers.compactMap(\.endpoint) }.filter { $0.version == tunnelAddress.version })
        guard endpoints != admitted else { return }
        admitted = endpoints
        do throws(KernelError) { try sockets.admit(endpoints) } catch { tell(.problem(error.description)) }
    }

    /// What the agent saw is older than what keepalived has said since: it counts where nothing was said.
    private func note(_ id: ResourceID, _ state: MemberState) {
        // Of a keepalived that ended while no agent was here, its pipe still says that it is master.
        if state == .headless, election.state(of: id) == .master, processes[id]?.descriptor == nil { return handle(.daemonEnded(id)) }
        guard election.state(of: id) == .unknown else { return }
        handle(.member(id, state == .headless ? .master : state))
        if state == .headless { handle(.daemonEnded(id)) }
    }

    private func forget(_ id: ResourceID) {
        if let pipe = pipes.removeValue(forKey: id) { remove(pipe.descriptor) }
        endWatch(id)
        stopListening(id)
        acquit(id)
        forgotten(id)
    }

    // MARK: keepalived

    private func openPipe(_ member: ElectionMember) {
        let id = member.router.id
        if let old = pipes.removeValue(forKey: id) { remove(old.descriptor) }
        let descriptor = clinux_lift(open(member.notifyPipe, O_RDWR | O_NONBLOCK | O_CLOEXEC))
        // Before keepalived's first start there is none.
        guard descriptor >= 0 else {
            nextPipeLook = nextPipeLook ?? Self.now + Self.pipeLookMilliseconds
            return
        }
        pipes[id] = Pipe(descriptor: descriptor, path: member.notifyPipe)
        watchDescriptor(descriptor, .pipe(id))
    }

    private func lookForPipes() {
        guard let due = nextPipeLook, Self.now >= due else { return }
        nextPipeLook = nil
        for (id, member) in members where pipes[id] == nil { openPipe(member) }
    }

    /// Whether another pipe has been made in the place of the one that is open.
    private func isReplaced(_ pipe: Pipe) -> Bool {
        var (own, other) = (stat(), stat())
        guard fstat(pipe.descriptor, &own) == 0, stat(pipe.path, &other) == 0 else { return false }
        return (own.st_dev, own.st_ino) != (other.st_dev, other.st_ino)
    }

    /// Tells the agent every line, and the election the last state: a pipe that nobody read for long holds history.
    private func readPipe(_ id: ResourceID) {
        guard let descriptor = pipes[id]?.descriptor else { return }
        var bytes = [UInt8](repeating: 0, count: Self.pipeReadBytes)
        var notifications: [KeepalivedNotification] = []
        for _ in 0..<Self.maximumPipeReads {
            let count = Glibc.read(descriptor, &bytes, bytes.count)
            guard count > 0 else { break }
            notifications += pipes[id]?.reader.read(bytes[0..<count]) ?? []
        }
        // First the agent: what the election wants done because of a line comes after it.
        for notification in notifications { tell(.notified(id, line: notification.line)) }
        guard let last = notifications.last else { return }
        // One that was started anew begins as backup: without that its mastership does not count.
        let isNew = [.fault, .headless].contains(election.state(of: id)) && notifications.contains { $0.state == .backup }
        if isNew, last.state.isMaster {
            handle(.member(id, .backup))
        }
        handle(.member(id, MemberState(last.state)))
    }

    private func watch(_ id: ResourceID, _ process: Int32) {
        guard let member = members[id] else { return }
        guard processes[id]?.process != process else {
            if pipes[id] == nil { openPipe(member) }
            return
        }
        if pipes[id].map(isReplaced) ?? true { openPipe(member) }
        endWatch(id)
        let descriptor = clinux_open_process(process)
        if descriptor >= 0 {
            processes[id] = (process, descriptor)
            watchDescriptor(descriptor, .process(id))
        } else if descriptor == -ESRCH {
            readPipe(id)
            processes[id] = (process, nil)
            handle(.daemonEnded(id))
        } else {
            // Not known to have ended: the agent tells of it again after its next cycle.
            tell(.problem(kernelError(-descriptor, "watch process \(process) of router \(id)").description))
        }
    }

    private func endWatch(_ id: ResourceID) {
        if let descriptor = processes.removeValue(forKey: id)?.descriptor { remove(descriptor) }
    }

    private func processEnded(_ id: ResourceID) {
        guard let entry = processes[id] else { return }
        // What it said last is older than its end.
        readPipe(id)
        endWatch(id)
        processes[id] = (entry.process, nil)
        handle(.daemonEnded(id))
    }

    // MARK: A keepalived that hangs

    private func suspect(_ id: ResourceID) {
        guard let member = members[id], let descriptor = silence.begin(member, linkIndex: frames.index(of: member.device), now: Self.now)
        else { return }
        watchDescriptor(descriptor, .suspect(id))
    }

    private func acquit(_ id: ResourceID) {
        if let descriptor = silence.end(id) { unwatch(descriptor) }
    }

    /// A master that has said nothing for so long is ended: its addresses stay until another member has them.
    private func judgeSuspects() {
        for id in silence.silent(at: Self.now) {
            acquit(id)
            guard election.state(of: id) == .master, let descriptor = processes[id]?.descriptor else { continue }
            tell(.problem("The keepalived of router \(id) is master and silent: ending it"))
            _ = clinux_signal_process(descriptor, SIGKILL)
        }
    }

    // MARK: Doing

    func handle(_ event: ElectionEvent) { perform(election.handle(event, now: Self.now)) }

    private func perform(_ actions: [ElectionAction]) {
        for action in actions {
            switch action {
            case .send(let bytes, let address): sockets.send(bytes, to: address)
            case .echo(let address): sockets.requestEcho(of: address)
            case .inject(let id, let source, let priority): inject(id, source, priority)
            case .announce(let id): doErrand(.announce(id))
            case .deafen(let id, let milliseconds):
                if let member = members[id] { doErrand(.deafen(id, device: member.device, milliseconds: milliseconds)) }
            case .mute(let id, let milliseconds):
                if let member = members[id] { doErrand(.mute(id, device: member.device, milliseconds: milliseconds)) }
            case .strip(let id): tell(.strip(id))
            case .restartDaemon(let id): tell(.restartDaemon(id))
            case .suspectDaemon(let id): suspect(id)
            case .listen(let id, let isOn): if isOn { listen(id) } else { stopListening(id) }
            case .conflict(let id, let host, let isOver): tell(.conflict(id, with: host, isOver: isOver))
            case .peerChanged(let address, let liveness): note(address, isAlive: liveness != .dead)
            }
        }
    }

    /// That a living host's agent comes and goes is no news.
    private func note(_ address: IPAddress, isAlive: Bool) {
        let isNews = isAlive ? living.insert(address).inserted : living.remove(address) != nil
        if isNews { tell(.peer(address, isAlive: isAlive)) }
    }

    private func inject(_ id: ResourceID, _ source: IPAddress, _ priority: Int) {
        guard let member = members[id], let frame = member.advertisement(from: source, priority: priority) else { return }
        if !frames.send(frame, on: member.device) {
            tell(.problem("The device \(member.device) of router \(id) takes no frame"))
        }
    }

    // MARK: Descriptors

    func watchDescriptor(_ descriptor: Int32, _ source: Source) {
        do throws(KernelError) { try add(descriptor, source) } catch { tell(.problem(error.description)) }
    }

    private func add(_ descriptor: Int32, _ source: Source) throws(KernelError) {
        let result = clinux_poll_add(waitSet, descriptor)
        guard result >= 0 else { throw kernelError(-result, "wait for a descriptor") }
        sources[descriptor] = source
        added.insert(descriptor)
    }

    /// Also for descriptors that whoever opened them closes: when the kernel has taken them out of the set by itself, that does no harm.
    func unwatch(_ descriptor: Int32) {
        sources[descriptor] = nil
        _ = clinux_poll_remove(waitSet, descriptor)
    }

    private func remove(_ descriptor: Int32) {
        unwatch(descriptor)
        close(descriptor)
    }

    static var now: Int { monotonicMilliseconds() }
}
