import Converters
import Drivers
import HostModel
import KernelInterface
import Logging
import NetworkModel
import ServiceProcesses

/// Ends what must not outlive a change: connections through a floating IP that was taken away, leases of ports that are gone.
struct ConnectionCleaner {
    /// How long one `dhcp_release` or `dhcp_release6` may take.
    static let timeoutMilliseconds = 2000

    private let connections: RouterConnections
    /// The view of the cycle before; nil before the first.
    private var last: HostView?
    /// Each router as it was last realised. One whose new translation could not be loaded keeps its place here until it is: connections that
    /// were ended before would come back by the old one.
    private var realised: [ResourceID: HostRouter] = [:]

    init(connections: RouterConnections) { self.connections = connections }

    mutating func clean(_ view: HostView, after result: ApplyReport, settings: AgentSettings, processes: any ProcessHost, logger: Logger) {
        endConnections(view, result)
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

    private mutating func endConnections(_ view: HostView, _ result: ApplyReport) {
        for id in realised.keys where view.routers[id] == nil {
            realised[id] = nil
            connections.forget(id)
        }
        for router in view.routers.values where realised[router.id] != router && !result.concerns(router: router.id) {
            guard let before = realised.updateValue(router, forKey: router.id) else {
                connections.end(of: router, commands: [], mustCheck: true)
                continue
            }
            let flush = ConntrackFlush(from: before, to: router)
            connections.end(
                of: router, commands: flush.commands, mustCheck: flush.changesForwardings, changesScopes: flush.changesScopes)
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
