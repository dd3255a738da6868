import Converters
import Drivers
import HostModel
import KernelInterface
import Logging
import NetworkModel
import ServiceProcesses

/// Ends what must not outlive a change: connections through a floating IP that was taken away, leases of ports that are gone.
struct ConnectionCleaner {
    /// How long one `conntrack`, `dhcp_release` or `dhcp_release6` may take.
    static let timeoutMilliseconds = 2000

    /// The view of the cycle before; nil before the first.
    private var last: HostView?
    /// Each router as it was last realised. One whose new translation could not be loaded keeps its place here until it is: connections that
    /// were ended before would come back by the old one.
    private var realised: [ResourceID: HostRouter] = [:]
    /// Routers whose connections must be compared with their configuration: a few in each cycle, so that a start with hundreds of routers
    /// does not hold up their changes.
    private var unchecked: Set<ResourceID> = []
    static let maximumChecksPerCycle = 16
    /// A cycle begins no further check after so long: changes wait for its end.
    static let checkBudgetMilliseconds = 50
    /// How often a router is compared again after a command failed.
    static let maximumAttempts = 5
    private var attempts: [ResourceID: Int] = [:]
    /// Of a longer list (about 180 octets a connection) the rest is not looked at.
    static let maximumListBytes = 15_000_000

    /// Whether another cycle has something to do here.
    var hasWork: Bool { !unchecked.isEmpty }

    mutating func clean(_ view: HostView, after result: ApplyReport, settings: AgentSettings, processes: any ProcessHost, logger: Logger) {
        endConnections(view, result, settings, processes, logger)
        let restarted = result.daemonActions.filter { $0.kind == .started || $0.kind == .restarted }.map(\.key)
        if last != nil, !restarted.isEmpty {
            // What was released while dnsmasq ended, nobody heard; it has its leases from its file.
            let networks = view.dhcp.keys.filter { restarted.contains(DnsmasqRenderer.key($0.description)) }
            releaseOldLeases(of: networks, view, settings, processes, logger)
        }
        if let last {
            guard last != view else { return }
            let releases = DHCPConverter.leaseReleases(from: last, to: view) { leaseFile(of: $0, settings, processes) }
            release(releases, processes, logger)
            for id in last.dhcp.keys where view.dhcp[id] == nil { try? processes.removeFile(DHCPConverter.directory(id, settings)) }
        } else {
            releaseOldLeases(of: Array(view.dhcp.keys), view, settings, processes, logger)
        }
        last = view
    }

    private mutating func endConnections(
        _ view: HostView, _ result: ApplyReport, _ settings: AgentSettings, _ processes: any ProcessHost, _ logger: Logger
    ) {
        realised = realised.filter { view.routers[$0.key] != nil }
        unchecked = unchecked.filter { view.routers[$0] != nil }
        for router in view.routers.values where realised[router.id] != router && !result.concerns(router: router.id) {
            guard let before = realised.updateValue(router, forKey: router.id) else {
                unchecked.insert(router.id)
                continue
            }
            let flush = ConntrackFlush(from: before, to: router)
            if flush.changesForwardings { unchecked.insert(router.id) }
            for command in flush.commands where !run(command, for: router.id, processes, logger) { unchecked.insert(router.id) }
        }
        attempts = attempts.filter { unchecked.contains($0.key) }
        let start = ContinuousClock.now
        for id in unchecked.sorted().prefix(Self.maximumChecksPerCycle) {
            if ContinuousClock.now - start > .milliseconds(Self.checkBudgetMilliseconds) { break }
            unchecked.remove(id)
            guard let router = realised[id] else { continue }
            if endStaleConnections(of: router, settings, processes, logger) {
                attempts[id] = nil
            } else if attempts[id, default: 0] < Self.maximumAttempts {
                attempts[id, default: 0] += 1
                unchecked.insert(id)
            }
        }
    }

    /// What an agent that just started, or a change that no simple command undoes, may have left: every translated connection of the router is
    /// compared with what its configuration gives.
    private func endStaleConnections(
        of router: HostRouter, _ settings: AgentSettings, _ processes: any ProcessHost, _ logger: Logger
    ) -> Bool {
        let path = "\(settings.stateDirectory)/connections/\(router.id)"
        defer { try? processes.removeFile(path) }
        do throws(KernelError) {
            try processes.writeFile(path, "")
            let script = "\(StaleConnections.listing.joined(separator: " ")) 2>/dev/null | head -c \(Self.maximumListBytes) >\"$1\""
            let listing = ["sh", "-c", script, "list", path]
            try processes.start(
                listing, in: RouterConverter.namespace(of: router.id), timeoutMilliseconds: Self.timeoutMilliseconds)
            let deletions = StaleConnections.deletions(try processes.readFile(path) ?? "", for: router)
            guard !deletions.isEmpty else { return true }
            try processes.writeFile(path, deletions.map { $0 + "\n" }.joined())
            guard run(["conntrack", "-R", path], for: router.id, processes, logger) else { return false }
            logger.info("Ended connections of a router", metadata: ["router": "\(router.id)", "count": "\(deletions.count)"])
            return true
        } catch {
            logger.error("Connections of a router could not be read", metadata: ["router": "\(router.id)", "error": "\(error)"])
            return false
        }
    }

    /// False when it must be tried again.
    private func run(_ command: [String], for router: ResourceID, _ processes: any ProcessHost, _ logger: Logger) -> Bool {
        do throws(KernelError) {
            try processes.start(
                command, in: RouterConverter.namespace(of: router), timeoutMilliseconds: Self.timeoutMilliseconds)
            return true
        } catch {
            // Exit code 1 (an error without an errno): there was nothing to end.
            if error.code == 0 { return true }
            logger.error("Connections of a router could not be ended", metadata: ["router": "\(router)", "error": "\(error)"])
            return false
        }
    }

    /// An agent that just started holds no older view: dnsmasq's lease files say what was given out.
    private func releaseOldLeases(
        of networks: [ResourceID], _ view: HostView, _ settings: AgentSettings, _ processes: any ProcessHost, _ logger: Logger
    ) {
        for id in networks {
            guard let leases = leaseFile(of: id, settings, processes) else { continue }
            release(DHCPConverter.leaseReleases(leaseFile: leases, networkID: id, in: view), processes, logger)
        }
    }

    private func leaseFile(of network: ResourceID, _ settings: AgentSettings, _ processes: any ProcessHost) -> String? {
        try? processes.readFile(DnsmasqConfiguration.leasesPath(directory: DHCPConverter.directory(network, settings)))
    }

    private func release(_ releases: [LeaseRelease], _ processes: any ProcessHost, _ logger: Logger) {
        for release in releases {
            do throws(KernelError) {
                try processes.start(release.command, in: release.namespace, timeoutMilliseconds: Self.timeoutMilliseconds)
            } catch {
                logger.warning("A lease could not be released", metadata: ["address": "\(release.address)", "error": "\(error)"])
            }
        }
    }
}
