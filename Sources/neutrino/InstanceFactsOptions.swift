import APISchema
import ArgumentParser
import Foundation
import HostModel

/// What the metadata service tells an instance, where there is no Nova: kept in the port's `binding:profile` (``InstanceFacts``).
struct InstanceFactsOptions: ParsableArguments {
    @Option(help: "What the instance is called in its metadata (default: its name).") var hostname: String?

    @Option(
        help: ArgumentHelp(
            "A file with SSH public keys, one a line, for the instance's users; repeatable.",
            discussion: "Told as public-keys, each by its comment.", valueName: "path"))
    var publicKey: [String] = []

    @Option(help: ArgumentHelp("A file that is told as user-data, such as a cloud-config; at most 64 KiB.", valueName: "path"))
    var userData: String?

    @Option(help: ArgumentHelp("A JSON object that is told as vendor_data.json.", valueName: "path"))
    var vendorData: String?

    @Option(help: ArgumentHelp("A member of meta in meta_data.json; repeatable.", valueName: "key=value"))
    var meta: [String] = []

    func facts() throws -> InstanceFacts {
        InstanceFacts(
            hostname: hostname, publicKeys: try keys(), userData: try userData.map(Self.userData), meta: try metadata(),
            vendorData: try vendorData.map(Self.vendorData))
    }

    private func keys() throws -> [String: String] {
        var keys: [String: String] = [:]
        for path in publicKey {
            let lines = String(decoding: try Self.contents(path), as: UTF8.self).split(whereSeparator: \.isNewline)
                .map { $0.trimmingCharacters(in: .whitespaces) }
            for line in lines where !line.isEmpty && !line.hasPrefix("#") {
                let words = line.split(separator: " ", maxSplits: 2)
                guard words.count >= 2 else { throw ValidationError("\(path) holds no SSH public keys: its lines are TYPE KEY COMMENT.") }
                let name = words.count > 2 ? String(words[2]) : "key\(keys.count)"
                keys[keys[name] == nil ? name : "\(name)-\(keys.count)"] = line
            }
        }
        return keys
    }

    private func metadata() throws -> [String: String] {
        var members: [String: String] = [:]
        for pair in meta {
            guard let separator = pair.firstIndex(of: "=") else { throw ValidationError("'\(pair)' is not KEY=VALUE.") }
            members[String(pair[..<separator])] = String(pair[pair.index(after: separator)...])
        }
        return members
    }

    private static func userData(_ path: String) throws -> String {
        let data = try contents(path)
        guard data.count <= InstanceFacts.maximumUserDataBytes else {
            throw ValidationError("\(path) has \(data.count) bytes; user data has at most \(InstanceFacts.maximumUserDataBytes).")
        }
        return data.base64EncodedString()
    }

    private static func vendorData(_ path: String) throws -> String {
        let text = String(decoding: try contents(path), as: UTF8.self)
        guard let json = try? JSONParser.parse(text), json.objectValue != nil else {
            throw ValidationError("\(path) holds no JSON object.")
        }
        return json.text
    }

    private static func contents(_ path: String) throws -> Data {
        do { return try Data(contentsOf: URL(fileURLWithPath: path)) } catch {
            throw ValidationError("The file \(path) cannot be read: \(error.localizedDescription)")
        }
    }
}
