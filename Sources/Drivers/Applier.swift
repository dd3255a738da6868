import Glibc
import KernelInterface

/// Does the operations of plans. One that fails is recorded with its object; what needs that object is left out, everything else goes on.
struct Applier: Sendable {
    let kernel: any NetworkKernel
    private(set) var performed = 0
    private(set) var failures: [Failure] = []
    /// Where something failed or was left out: these namespaces must be looked into again.
    private(set) var failedPlaces: Set<NamespaceName?> = []
    /// How many transactions of ours changed the ruleset, by place.
    private(set) var firewallTransactions: [NamespaceName?: UInt32] = [:]
    private(set) var failedFirewalls: Set<NamespaceName?> = []
    /// Foreign links that turned out not to be there. What hangs on them is left out.
    private(set) var vanished: [NamespaceName?: Set<String>] = [:]
    private(set) var failedNamespaces: Set<NamespaceName> = []
    private(set) var failedLinks: Set<LinkKey> = []
    private var reported: Set<Subject> = []

    init(kernel: any NetworkKernel) { self.kernel = kernel }

    mutating func perform(_ operations: [PlannedOperation]) {
        for operation in operations { perform(operation) }
    }

    /// Performs the operations of a plan that make and change, the lanes side by side.
    mutating func build(_ lanes: Lanes, width: Int) {
        perform(lanes.first)
        let start = fork()
        let parts = Parallel.map(lanes.lanes, width: width) { operations in
            var part = start
            part.perform(operations)
            return part
        }
        for part in parts { merge(part) }
    }

    /// An applier that knows what failed so far and has done nothing yet.
    private func fork() -> Applier {
        var copy = self
        copy.performed = 0
        copy.failures = []
        copy.firewallTransactions = [:]
        return copy
    }

    private mutating func merge(_ part: Applier) {
        performed += part.performed
        failures += part.failures
        failedPlaces.formUnion(part.failedPlaces)
        firewallTransactions.merge(part.firewallTransactions) { $0 &+ $1 }
        failedFirewalls.formUnion(part.failedFirewalls)
        vanished.merge(part.vanished) { $0.union($1) }
        failedNamespaces.formUnion(part.failedNamespaces)
        failedLinks.formUnion(part.failedLinks)
        reported.formUnion(part.reported)
    }

    private mutating func perform(_ planned: PlannedOperation) {
        let target = planned.operation.target
        if let link = target.link, vanished[target.place]?.contains(link) == true { return }
        if let obstacle = obstacle(to: planned) {
            record(planned, obstacle)
            return
        }
        do throws(KernelError) {
            try run(planned)
            performed += 1
            if case .applyFirewall(_, let place) = planned.operation { firewallTransactions[place, default: 0] &+= 1 }
        } catch {
            settle(planned, error)
        }
    }

    private func run(_ planned: PlannedOperation) throws(KernelError) {
        do throws(KernelError) {
            try kernel.perform(planned.operation)
        } catch {
            guard let fallback = planned.fallback else { throw error }
            try kernel.perform(fallback)
        }
    }

    /// Why the operation cannot succeed, or must not be tried. Removals are always tried.
    private func obstacle(to planned: PlannedOperation) -> String? {
        if planned.role == .remove { return nil }
        if planned.role == .attach, case .changeLink(let link, let place) = planned.operation, link.bridge != nil,
            failedFirewalls.contains(place)
        {
            return "not put into bridge \(link.bridge ?? ""): the firewall that protects it could not be loaded"
        }
        if case .addNamespace = planned.operation { return nil }
        let target = planned.operation.target
        // A router that forwards without its rules would leak, and a backup would speak.
        if case .addLink = planned.operation, let namespace = target.place ?? target.peerPlace, failedFirewalls.contains(namespace) {
            return "waits for the firewall of namespace \(namespace)"
        }
        if let place = target.place, failedNamespaces.contains(place) { return "waits for namespace \(place)" }
        if let peer = target.peerPlace, failedNamespaces.contains(peer) { return "waits for namespace \(peer)" }
        if let link = target.link, failedLinks.contains(LinkKey(link, target.place)) { return "waits for link \(link)" }
        if let bridge = target.bridge, failedLinks.contains(LinkKey(bridge, target.place)) { return "waits for bridge \(bridge)" }
        return nil
    }

    /// Judges a failure: what is there already, or gone already, is what was wanted.
    private mutating func settle(_ planned: PlannedOperation, _ error: KernelError) {
        switch planned.role {
        case .announce:
            return
        case .remove where [ENODEV, ENOENT, ESRCH, EADDRNOTAVAIL].contains(error.code):
            return
        case .make where error.code == EEXIST && planned.operation.isSatisfiedByExistence:
            return
        case .attach where error.code == ENODEV:
            let target = planned.operation.target
            if let link = target.link { vanished[target.place, default: []].insert(link) }
        default:
            record(planned, error.description)
        }
    }

    private mutating func record(_ planned: PlannedOperation, _ sentence: String) {
        let target = planned.operation.target
        failedPlaces.insert(target.place)
        if let peer = target.peerPlace { failedPlaces.insert(peer) }
        if planned.role == .announce { return }
        switch planned.operation {
        case .addNamespace(let name): failedNamespaces.insert(name)
        case .applyFirewall(_, let place): failedFirewalls.insert(place)
        case .addLink(let link, let place):
            failedLinks.insert(LinkKey(link.name, place))
            if case .veth(let peer, let peerPlace) = link.kind { failedLinks.insert(LinkKey(peer, peerPlace)) }
        default: break
        }
        let failure = Failure(planned.subject, sentence)
        // An object that failed once fails with everything that hangs on it: its first sentence says why.
        if reported.insert(planned.subject).inserted { failures.append(failure) }
    }
}

/// What an operation needs.
struct OperationTarget {
    var place: NamespaceName?
    var link: String?
    var bridge: String?
    var peerPlace: NamespaceName?
}

extension KernelOperation {
    /// Whether "exists already" means that the operation's goal is reached.
    var isSatisfiedByExistence: Bool {
        switch self {
        case .addNamespace, .addAddress, .addForwarding, .addRule: true
        default: false
        }
    }

    var target: OperationTarget {
        switch self {
        case .addNamespace(let name), .removeNamespace(let name): OperationTarget(place: name)
        case .setSysctl(let path, _, let place): OperationTarget(place: place, link: Sysctl.link(of: path))
        case .addLink(let link, let place):
            if case .veth(_, let peerPlace) = link.kind {
                OperationTarget(place: place, link: link.name, bridge: link.bridge, peerPlace: peerPlace)
            } else {
                OperationTarget(place: place, link: link.name, bridge: link.bridge)
            }
        case .changeLink(let link, let place): OperationTarget(place: place, link: link.name, bridge: link.bridge)
        case .removeLink(let name, let place): OperationTarget(place: place, link: name)
        case .addAddress(let address, let place), .removeAddress(let address, let place), .announce(let address, let place):
            OperationTarget(place: place, link: address.link)
        case .setRoute(let route, let place), .removeRoute(let route, let place): OperationTarget(place: place, link: route.link)
        case .addRule(_, let place), .removeRule(_, let place): OperationTarget(place: place)
        case .addForwarding(let entry, let place), .removeForwarding(let entry, let place):
            OperationTarget(place: place, link: entry.link)
        case .setNeighbour(let neighbour, let place), .removeNeighbour(let neighbour, let place):
            OperationTarget(place: place, link: neighbour.link)
        case .applyFirewall(_, let place): OperationTarget(place: place)
        }
    }
}
