import Converters
import Drivers
import HostModel
import KernelInterface
import Logging
import NetworkModel
import ServiceProcesses

/// Has each dnsmasq forget the leases of ports that are gone, until its lease file shows that it has: a lease that stays keeps the address from the
/// port that gets it next for as long as the lease lasts.
///
/// A release is a packet that nobody answers. It is lost while dnsmasq is started again, and where the host has no time for it.
///
///               released                      due: the file shows a lease that no port has
///     certain ───────────▶ doubtful ───────────────────────┐ released again
///        ▲                  │  │ ▲                          │
///        └─ the file shows ─┘  │ └──────────────────────────┘
///           none               └── the fifth time in vain: said in the log, given up until dnsmasq is started again
struct LeaseReleaser {
    /// How long one `dhcp_release` or `dhcp_release6` may take.
    static let timeoutMilliseconds = 2000
    /// After a release the lease file is looked at: so soon for the first time, then each time after twice as long.
    static let firstLookMilliseconds = 250
    static let maximumLooks = 5

    private struct Doubt {
        var looks = 0
        var dueAt: Int
    }

    private let processes: any ProcessHost
    private let settings: AgentSettings
    private let logger: Logger
    /// The view of the cycle before; nil before the first.
    private var last: HostView?
    private var doubts: [ResourceID: Doubt] = [:]

    init(processes: any ProcessHost, settings: AgentSettings, logger: Logger) {
        self.processes = processes
        self.settings = settings
        self.logger = logger
    }

    /// To be called after each cycle: by then every dnsmasq was told of its new hosts.
    ///
    /// - Parameter now: milliseconds of a clock that never goes back.
    mutating func release(_ view: HostView, after result: ApplyReport, now: Int) {
        guard let last else {
            // An agent that just started holds no older view: lease files say what was given out.
            releaseByFile(Array(view.dhcp.keys), view, now)
            self.last = view
            return
        }
        lookAgain(view, now)
        releaseByFile(started(result, view), view, now)
        guard last != view else { return }
        let releases = DHCPConverter.leaseReleases(from: last, to: view) { leaseFile(of: $0) }
        send(releases)
        if !releases.isEmpty {
            let namespaces = Set(releases.map(\.namespace))
            doubt(view.dhcp.keys.filter { namespaces.contains(DHCPConverter.namespace($0)) }, now)
        }
        for id in last.dhcp.keys where view.dhcp[id] == nil { try? processes.removeFile(DHCPConverter.directory(id, settings)) }
        self.last = view
    }

    /// In how many milliseconds a lease file must be looked at; nil for none.
    func nextLookMilliseconds(now: Int) -> Int? { doubts.values.map { max(0, $0.dueAt - now) }.min() }

    /// Networks whose dnsmasq was started: it has its leases from its file, and what was released before, nobody heard.
    private func started(_ result: ApplyReport, _ view: HostView) -> [ResourceID] {
        let keys = Set(result.daemonActions.filter { $0.kind == .started || $0.kind == .restarted }.map(\.key))
        return keys.isEmpty ? [] : view.dhcp.keys.filter { keys.contains(DnsmasqRenderer.key($0.description)) }
    }

    private mutating func releaseByFile(_ networks: [ResourceID], _ view: HostView, _ now: Int) {
        for id in networks {
            let releases = releasesByFile(id, view)
            send(releases)
            if !releases.isEmpty { doubt([id], now) }
        }
    }

    private mutating func doubt(_ networks: [ResourceID], _ now: Int) {
        // A look that is due sooner stays so, or who deletes ports all the time would never have the file looked at.
        for id in networks { doubts[id] = Doubt(dueAt: min(doubts[id]?.dueAt ?? .max, now + Self.firstLookMilliseconds)) }
    }

    private mutating func lookAgain(_ view: HostView, _ now: Int) {
        for (id, doubt) in doubts where doubt.dueAt <= now {
            let releases = releasesByFile(id, view)
            let looks = doubt.looks + 1
            doubts[id] = nil
            if releases.isEmpty { continue }
            guard looks < Self.maximumLooks else {
                let addresses = releases.map(\.address.description).joined(separator: ", ")
                logger.warning(
                    "dnsmasq keeps leases of ports that are gone; who gets their addresses waits until it is started again",
                    metadata: ["network": "\(id)", "addresses": "\(addresses)"])
                continue
            }
            send(releases)
            doubts[id] = Doubt(looks: looks, dueAt: now + Self.firstLookMilliseconds << looks)
        }
    }

    private func releasesByFile(_ network: ResourceID, _ view: HostView) -> [LeaseRelease] {
        leaseFile(of: network).map { DHCPConverter.leaseReleases(leaseFile: $0, networkID: network, in: view) } ?? []
    }

    private func leaseFile(of network: ResourceID) -> String? {
        try? processes.readFile(DnsmasqConfiguration.leasesPath(directory: DHCPConverter.directory(network, settings)))
    }

    private func send(_ releases: [LeaseRelease]) {
        for release in releases {
            do throws(KernelError) {
                try processes.start(release.command, in: release.namespace, timeoutMilliseconds: Self.timeoutMilliseconds)
            } catch {
                logger.warning("A lease could not be released", metadata: ["address": "\(release.address)", "error": "\(error)"])
            }
        }
    }
}
