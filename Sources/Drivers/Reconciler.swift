import Glibc
import KernelInterface

/// Makes a host what its configuration says, cycle by cycle, and repairs what others break.
///
/// Between cycles it remembers what each namespace must look like by what it did there. Memory of a namespace is dropped when an operation
/// failed in it or an event says that it changed; it is then read anew:
///
///               observe, plan, perform
///     unknown -------------------------> believed
///        ^                                  |
///        +--- failure, markDirty, full -----+
///
/// Not thread-safe and blocking: it belongs to the agent's cycle thread.
public final class Reconciler {
    public enum Mode: Hashable, Sendable {
        /// Looks at everything: the first cycle and the periodic repair.
        case full
        /// Trusts what was applied last and looks only where a failure or an event gives a reason: the cost follows the change.
        case changed
    }

    /// Plans for one cycle: operations may have effects that only a second look shows. What is left then waits for the next cycle.
    public static let maximumPasses = 3
    /// Namespaces that are worked on at the same time. One waits for a grace period while the other has the kernel's lock on links (RTNL), for which more
    /// threads would only fight: eight spent three times the processor time of one.
    public static let defaultWidth = 2
    /// Daemons that are handled at the same time: starting one is mostly waiting for its program.
    public static let daemonWidth = 8
    /// Namespaces that a background resync looks at in one cycle: about 30 ms, by which it may delay a change.
    public static let resyncSlice = 16
    /// Calls of ``findChangedFirewalls()`` after which each namespace was looked at: hundreds of routers need not be asked twice a second.
    public static let firewallTurns = 3
    /// Cycles with changes that a resync lets pass before it goes on all the same.
    static let maximumYields = 8

    let kernel: any NetworkKernel
    let width: Int
    private let rulesets: (any RulesetHistory)?
    private let supervisor: DaemonSupervisor
    /// What a resync still has to look at.
    private var resync = ResyncQueue()
    /// What each namespace holds if nobody interfered; without an entry it is unknown.
    var believed: [NamespaceName?: NamespaceObservation] = [:]
    /// What each namespace held when it was last left as it was wanted, until it is read again: what tells the doings of others.
    var left: [NamespaceName?: NamespaceObservation] = [:]
    var firewall: [NamespaceName?: FirewallMemory] = [:]
    private var firewallTurn = 0
    /// The last configuration, and the namespaces of ours that existed after it. Nil before the first cycle.
    var last: (desired: HostConfiguration, namespaces: Set<NamespaceName>)?
    var suspectLinks: Set<NamespaceName?> = []
    var missing: [NamespaceName?: Set<String>] = [:]

    /// `stateDirectory` is where daemons are registered (see ``DaemonSupervisor``); `width` is how many namespaces are worked on at the same time; `clock` gives monotonic milliseconds.
    /// Without `rulesets` every change of a ruleset that others made counts as one of ours.
    /// `onStartEnd` is called, on any thread, when the start of a daemon has ended, of which the next cycle takes note; without it, cycles wait for the
    /// starts of daemons themselves.
    public init(
        kernel: any NetworkKernel, processes: any ProcessHost, stateDirectory: String, width: Int = defaultWidth,
        rulesets: (any RulesetHistory)? = nil, onStartEnd: (@Sendable () -> Void)? = nil, clock: @escaping () -> Int
    ) {
        self.kernel = kernel
        self.width = width
        self.rulesets = rulesets
        supervisor = DaemonSupervisor(
            host: processes, stateDirectory: stateDirectory, width: Self.daemonWidth, onStartEnd: onStartEnd, clock: clock)
    }

    /// The cycles that follow look at everything, a slice of namespaces each, after what changed: ``ApplyReport/isResyncing`` says whether some is left.
    /// One that is under way begins anew behind its end.
    public func requestResync() { resync.isRequested = true }

    /// A daemon that is not running is not started for so long, and one that runs is not restarted: its start would take away what its successor
    /// needs. Ends by itself.
    public func holdDaemon(_ key: String, forMilliseconds milliseconds: Int) { supervisor.hold(key, forMilliseconds: milliseconds) }

    /// Ends a hold: the next cycle starts the daemon when it does not run.
    public func releaseDaemon(_ key: String) { supervisor.release(key) }

    /// Whether the daemon was told to end, be it to start again.
    public func isEndingDaemon(_ key: String) -> Bool { supervisor.isEnding(key) }

    /// The next cycle reads everything in the namespace (nil: the agent's own).
    public func markDirty(_ namespace: NamespaceName?) {
        believed[namespace] = nil
    }

    /// The next cycle reads the links of the namespace, and the rest only if one of ours is not as it was left: what a link event asks for.
    public func markLinksDirty(_ namespace: NamespaceName?) {
        suspectLinks.insert(namespace)
    }

    /// The next cycle looks at the daemon: what the end of a process asks for.
    public func markDaemonDirty(_ key: String) {
        supervisor.markDirty(key)
    }

    /// The processes of the daemons that ran when they were last looked at, by key: whose end is worth waiting for.
    public var daemonProcesses: [String: Int32] { supervisor.processes }

    /// Looks for tables of ours that somebody else changed since they were written: a question to the kernel for each namespace that is looked at. The agent's own,
    /// which holds the security groups, is looked at each time, the others in ``firewallTurns`` turns.
    ///
    /// - Returns: whether the next cycle has something to repair.
    public func findChangedFirewalls() -> Bool {
        var isAnyChanged = false
        firewallTurn = (firewallTurn + 1) % Self.firewallTurns
        for place in firewall.keys where place == nil || Int(place.hashValue.magnitude % UInt(Self.firewallTurns)) == firewallTurn {
            if findChangedFirewall(in: place) { isAnyChanged = true }
        }
        return isAnyChanged
    }

    /// The same for one namespace, of which the kernel said that its ruleset was changed, perhaps by us.
    public func findChangedFirewall(in place: NamespaceName?) -> Bool {
        guard firewall[place] != nil, let generation = try? kernel.firewallGeneration(in: place), !accounts(for: generation, in: place)
        else { return false }
        believed[place] = nil
        return true
    }

    /// Whether our tables are as they were left although the ruleset has this generation, which is then taken over.
    ///
    /// Docker, libvirt and others change tables of their own at any time, also between our look and our transaction. So what counts is how many
    /// transactions named tables of ours since the look: no more than we made ourselves.
    @discardableResult
    func accounts(for generation: UInt32, in place: NamespaceName?) -> Bool {
        guard var memory = firewall[place] else { return false }
        if generation == memory.generation, memory.made == 0 { return true }
        if generation != memory.generation {
            guard let changes = rulesets?.tables(in: place, after: memory.generation &- memory.made, through: generation),
                changes.count(where: { $0.contains(where: Ownership.owns(table:)) }) == Int(memory.made)
            else { return false }
        }
        (memory.generation, memory.made) = (generation, 0)
        firewall[place] = memory
        believed[place]?.firewallGeneration = generation
        left[place]?.firewallGeneration = generation
        return true
    }

    /// Whether somebody changed a setting of the host's own namespace that security groups need, as `sysctl --system` and the starts of libvirt and Docker do.
    /// The kernel tells nobody. They are two files, whose reading costs some microseconds; those of devices wait for the resync.
    public func findChangedSettings() -> Bool {
        guard let known = believed[nil] ?? left[nil] else { return false }
        let paths = Sysctl.ofBridges.filter { known.sysctls[$0] != nil }
        guard !paths.isEmpty, let found = try? kernel.sysctls(paths, in: nil) else { return false }
        let isChanged = paths.contains { path in
            guard let value = known.sysctls[path], let now = found[path] else { return false }
            return !Sysctl.same(now, value)
        }
        if isChanged { believed[nil] = nil }
        return isChanged
    }

    /// Whether the next cycle has something to repair after an entry of the host's own namespace went or was set. What we removed or set ourselves is not
    /// believed to be there any more, or is.
    public func noteLoss(of entry: LostEntry) -> Bool {
        guard let known = believed[nil] ?? left[nil] else { return false }
        let isOurs =
            switch entry {
            case .forwarding(let entry): known.forwarding.contains(entry)
            case .neighbour(let link, let address):
                Ownership.ownsNeighbours(on: link, in: nil) && known.neighbours.contains { $0.link == link && $0.address == address }
            case .forwardingTo(let entry): Ownership.ownsForwarding(on: entry.link) && known.isForeign(entry)
            case .neighbourTo(let neighbour): Ownership.ownsNeighbours(on: neighbour.link, in: nil) && known.isForeign(neighbour)
            case .unknown: true
            }
        if isOurs { believed[nil] = nil }
        return isOurs
    }

    /// Runs one cycle. Never throws: what could not be done is in the report, and the next cycle tries again.
    public func apply(_ desired: HostConfiguration, _ requested: Mode) -> ApplyReport {
        var report = ApplyReport()
        let mode: Mode = last == nil ? .full : requested
        if mode == .full { resync = ResyncQueue() }
        let slice = mode == .full ? nil : nextSlice(desired)
        var observation = HostObservation()
        do throws(KernelError) {
            observation.namespaces = try namespaces(mode, slice)
        } catch {
            report.add(Failure(.namespace(nil), error.description))
            return report
        }
        look(at: placesToPlan(desired, mode), desired, mode, &observation, &report)
        perform(desired, isFull: mode == .full || slice?.isFirst == true, observation, &report)
        report.isResyncing = resync.isUnderWay
        return report
    }

    private func namespaces(_ mode: Mode, _ slice: ResyncQueue.Slice?) throws(KernelError) -> Set<NamespaceName> {
        if mode == .changed, slice?.isFirst != true, let last { return last.namespaces }
        return try kernel.namespaces()
    }

    /// Lets the memory of the next namespaces of a resync go, so that this cycle reads them. A cycle that has changes to make does these alone.
    private func nextSlice(_ desired: HostConfiguration) -> ResyncQueue.Slice? {
        let hasChanges = !placesToPlan(desired, .changed).isEmpty || desired.daemons != last?.desired.daemons
        guard let slice = resync.next(desired, size: Self.resyncSlice, hasChanges: hasChanges, maximumYields: Self.maximumYields) else {
            return nil
        }
        for place in slice.places {
            believed[place] = nil
            supervisor.markDirty(in: place)
        }
        return slice
    }

    /// In a `.changed` cycle: where the configuration changed, where the memory is gone, and where links are suspect.
    private func placesToPlan(_ desired: HostConfiguration, _ mode: Mode) -> [NamespaceName?] {
        let all: [NamespaceName?] = [nil] + desired.namespaces.keys.sorted().map(Optional.some)
        guard mode == .changed, let last else { return all }
        return all.filter { place in
            if believed[place] == nil || suspectLinks.contains(place) { return true }
            return configuration(place, desired) != configuration(place, last.desired)
        }
    }

    func configuration(_ place: NamespaceName?, _ desired: HostConfiguration) -> NamespaceConfiguration? {
        place.map { desired.namespaces[$0] } ?? desired.own
    }

    // MARK: Doing

    private func perform(
        _ desired: HostConfiguration, isFull: Bool, _ first: HostObservation, _ report: inout ApplyReport
    ) {
        var applier = Applier(kernel: kernel)
        var observation = first
        var absentLinks: [NamespaceName?: Set<String>] = [:]
        var renewed: Set<NamespaceName> = []
        var removals: [PlannedOperation] = []
        var planned: Set<NamespaceName?> = []
        var generations = FirewallGenerations()
        for pass in 1...Self.maximumPasses {
            let plan = Planner.plan(desired: desired, observed: observation, firewall: firewall)
            generations.note(observation, made: plan.madeNamespaces, after: applier.firewallTransactions)
            planned.formUnion(observation.contents.keys)
            planned.formUnion(plan.madeNamespaces.map(Optional.some))
            applier.build(Lanes(plan.build, own: desired.own), width: width)
            absentLinks.merge(plan.missingLinks) { $1 }
            if pass == 1 { renewed = renewedNamespaces(plan, desired) }
            removals = merged(removals, plan.remove, pass: pass, lookedAt: Set(observation.contents.keys))
            remember(desired, applier, generations)
            if plan.lookAgain.isEmpty { break }
            if pass == Self.maximumPasses {
                for place in plan.lookAgain { believed[place] = nil }
                planned.subtract(plan.lookAgain)
                break
            }
            observation = again(plan.lookAgain, desired, observation, applier, &report)
            planned.subtract(plan.lookAgain)
        }
        supervise(desired, isFull: isFull, applier, renewed, &report)
        // A namespace goes after its daemons, which hold it: later cycles see to it.
        let occupied = supervisor.occupiedNamespaces
        applier.perform(removals.filter { !Self.removes($0, oneOf: occupied) })
        remember(desired, applier, generations)
        conclude(desired, first.namespaces, occupied, planned, absentLinks, applier, &report)
    }

    /// Removals of a later pass take the place of earlier ones for the namespaces that were looked at again.
    private func merged(
        _ earlier: [PlannedOperation], _ later: [PlannedOperation], pass: Int, lookedAt: Set<NamespaceName?>
    ) -> [PlannedOperation] {
        if pass == 1 { return later }
        func removesNamespace(_ planned: PlannedOperation) -> Bool {
            if case .removeNamespace = planned.operation { true } else { false }
        }
        let kept = earlier.filter { !removesNamespace($0) && !lookedAt.contains($0.operation.target.place) }
        let new = later.filter { !removesNamespace($0) }
        return kept + new + earlier.filter(removesNamespace)
    }

    private func again(
        _ places: Set<NamespaceName?>, _ desired: HostConfiguration, _ before: HostObservation, _ applier: Applier,
        _ report: inout ApplyReport
    ) -> HostObservation {
        var next = HostObservation()
        next.namespaces = before.namespaces.union(desired.namespaces.keys)
        let readable = places.filter { place in place.map { !applier.failedNamespaces.contains($0) } ?? true }
        look(at: Planner.sorted(readable), desired, .full, &next, &report)
        next.broken = []
        return next
    }

    /// Namespaces whose daemons hold what is gone: made in this cycle, or a link in them was there before and is made anew. A process that was
    /// just started does not know which links were there; it takes them all to have been.
    private func renewedNamespaces(_ plan: Plan, _ desired: HostConfiguration) -> Set<NamespaceName> {
        var renewed = plan.madeNamespaces
        for (namespace, links) in plan.madeLinks {
            guard let last else {
                renewed.insert(namespace)
                continue
            }
            if last.desired.namespaces[namespace].map({ $0.links.keys.contains(where: links.contains) }) == true {
                renewed.insert(namespace)
            }
        }
        return renewed
    }

    private static func removes(_ planned: PlannedOperation, oneOf namespaces: Set<NamespaceName>) -> Bool {
        if case .removeNamespace(let name) = planned.operation { namespaces.contains(name) } else { false }
    }

    private func supervise(
        _ desired: HostConfiguration, isFull: Bool, _ applier: Applier, _ renewed: Set<NamespaceName>, _ report: inout ApplyReport
    ) {
        // Without its rules a member must not become master: another one may have them.
        let unready = applier.failedNamespaces.union(applier.failedLinks.compactMap(\.place)).union(
            applier.failedFirewalls.compactMap { $0 })
        supervisor.apply(
            desired.daemons, isFull: isFull, restartingIn: renewed, holdingIn: unready, report: &report)
    }

    // MARK: Remembering

    /// Where the ruleset was changed: the generation that our transactions made of the one that was looked at. Whoever changes the ruleset
    /// between the look and this moment makes it another one, and is found. Where a transaction failed: nothing is known.
    private func remember(_ desired: HostConfiguration, _ applier: Applier, _ generations: FirewallGenerations) {
        for place in applier.failedFirewalls { firewall[place] = nil }
        for (place, transactions) in applier.firewallTransactions where !applier.failedFirewalls.contains(place) {
            let tables = configuration(place, desired)?.firewall ?? []
            firewall[place] = generations.generation(of: place, after: transactions).map { generation, made in
                let mark = place == nil ? nil : FirewallMark.identity(tables, generation: generation)
                return FirewallMemory(tables: tables, generation: generation, made: made, mark: mark)
            }
        }
    }

    private func conclude(
        _ desired: HostConfiguration, _ namespaces: Set<NamespaceName>, _ occupied: Set<NamespaceName>, _ planned: Set<NamespaceName?>,
        _ absentLinks: [NamespaceName?: Set<String>], _ applier: Applier, _ report: inout ApplyReport
    ) {
        for place in planned {
            let absent = (absentLinks[place] ?? []).union(applier.vanished[place] ?? [])
            missing[place] = absent.isEmpty ? nil : absent
            // Its next cycle looks whether it was the link or its bridge that was not there.
            if applier.vanished[place] != nil { suspectLinks.insert(place) }
            if applier.failedPlaces.contains(place) {
                believed[place] = nil
            } else if let wanted = configuration(place, desired) {
                let expected = NamespaceObservation.expected(
                    after: wanted, missing: absent, generation: firewall[place]?.generation)
                believed[place] = expected
                left[place] = expected
            }
        }
        for place in applier.failedPlaces {
            believed[place] = nil
            left[place] = planned.contains(place) ? remainder(of: place, desired, applier) : nil
        }
        forgetRemoved(desired)
        for links in missing.values { report.missingLinks.formUnion(links) }
        let ours = namespaces.filter { Ownership.owns($0) || desired.namespaces[$0] != nil }
        let failedToGo = ours.filter { desired.namespaces[$0] == nil && (applier.failedPlaces.contains($0) || occupied.contains($0)) }
        let made = Set(desired.namespaces.keys).subtracting(applier.failedNamespaces)
        last = (desired, made.union(failedToGo))
        report.performed += applier.performed
        for failure in applier.failures { report.add(failure) }
    }

    /// What is as it is wanted beside links that something failed of: what cannot be realised, perhaps for good, must not hide what somebody does to the
    /// rest. Nil when it cannot be told.
    private func remainder(of place: NamespaceName?, _ desired: HostConfiguration, _ applier: Applier) -> NamespaceObservation? {
        guard !applier.failedFirewalls.contains(place), let wanted = configuration(place, desired) else { return nil }
        var failed: Set<String> = []
        for failure in applier.failures where failure.subject.namespace == place {
            guard case .link(let name, _) = failure.subject else { return nil }
            failed.insert(name)
        }
        if failed.isEmpty { return nil }
        return .expected(after: wanted, missing: failed.union(missing[place] ?? []), generation: firewall[place]?.generation)
    }

    private func forgetRemoved(_ desired: HostConfiguration) {
        func isKept(_ place: NamespaceName?) -> Bool { place.map { desired.namespaces[$0] != nil } ?? true }
        believed = believed.filter { isKept($0.key) }
        left = left.filter { isKept($0.key) }
        firewall = firewall.filter { isKept($0.key) }
        missing = missing.filter { isKept($0.key) }
        suspectLinks = suspectLinks.filter(isKept)
    }
}
