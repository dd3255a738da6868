import ArgumentParser
import Foundation
import HostProjection

/// How the members of highly available routers speak to each other.
struct VRRPOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The version of VRRP that the members of a router speak: 3, or 2 for deployments that want passwords.",
            discussion: "All members of a router change over when their agents hear of it; a router may have two masters for that moment."))
    var vrrpVersion: Int = 3

    @Option(
        help: ArgumentHelp(
            "Milliseconds between the advertisements of a master (default: 1000; with VRRP version 2: 2000, whole seconds only).",
            discussion: """
                Backups that hear nothing for three times as long elect a master among themselves. It is the safety net that works with every agent \
                down; the death of a host is noticed by the other agents within a tenth of a second, whatever stands here.
                """, valueName: "milliseconds"))
    var advertisementInterval: Int?

    @Option(
        help: ArgumentHelp(
            "A file whose first line, 1 to 8 characters, is what members prove themselves with. VRRP version 2 only.",
            discussion:
                "It is sent in clear and keeps out mistakes, not attackers. A file, because everybody can read the arguments of programs.",
            valueName: "path"))
    var vrrpPasswordFile: String?

    @Flag(
        inversion: .prefixedNo,
        help: ArgumentHelp(
            "Members tell each other of the connections through their router, which therefore survive a failover.",
            discussion: "It costs a conntrackd for each member, about 3 MB."))
    var replicateConnections = true

    func settings() throws -> ProjectionSettings {
        guard vrrpVersion == 2 || vrrpVersion == 3 else { throw ValidationError("VRRP has the versions 2 and 3.") }
        let interval = advertisementInterval ?? (vrrpVersion == 2 ? 2000 : 1000)
        if vrrpVersion == 2 {
            guard (1000...255_000).contains(interval), interval % 1000 == 0 else {
                throw ValidationError("VRRP version 2 can advertise every 1000 to 255000 milliseconds, in whole seconds.")
            }
        } else {
            guard (10...40_950).contains(interval), interval % 10 == 0 else {
                throw ValidationError("VRRP can advertise every 10 to 40950 milliseconds, in steps of 10.")
            }
        }
        return ProjectionSettings(
            vrrpVersion: vrrpVersion, advertisementIntervalMilliseconds: interval, password: try password(),
            replicatesConnections: replicateConnections)
    }

    private func password() throws -> String? {
        guard let vrrpPasswordFile else { return nil }
        guard vrrpVersion == 2 else { throw ValidationError("Only VRRP version 2 has passwords: add --vrrp-version 2.") }
        guard let text = try? String(contentsOfFile: vrrpPasswordFile, encoding: .utf8) else {
            throw ValidationError("The password file \(vrrpPasswordFile) cannot be read.")
        }
        let line = text.split(separator: "\n", omittingEmptySubsequences: false).first.map(String.init) ?? ""
        // What keepalived's configuration takes as one word.
        let isWord = line.utf8.allSatisfy { (0x21...0x7E).contains($0) && !"\"'#!".utf8.contains($0) }
        guard (1...ProjectionSettings.maximumPasswordBytes).contains(line.utf8.count), isWord else {
            throw ValidationError("The first line of \(vrrpPasswordFile) must be 1 to 8 visible ASCII characters without quotes, # and !.")
        }
        return line
    }
}
