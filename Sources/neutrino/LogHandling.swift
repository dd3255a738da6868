import ArgumentParser
import Foundation
import Logging

/// One line per event on standard error: `2026-01-31T12:00:00.123Z notice server A sentence key=value …`.
struct LineLogHandler: LogHandler {
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    let label: String

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var line = "\(Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))) \(event.level) \(label) \(event.message)"
        let all = event.metadata.map { metadata.merging($0) { _, own in own } } ?? metadata
        for (key, value) in all.sorted(by: { $0.key < $1.key }) { line += " \(key)=\(Self.quoted("\(value)"))" }
        // One write per line, so that lines of several threads do not mix.
        FileHandle.standardError.write(Data((line + "\n").utf8))
    }

    private static func quoted(_ text: String) -> String {
        let needsQuotes = text.isEmpty || text.contains { $0 == " " || $0 == "\"" || $0 == "=" || $0.isNewline }
        return needsQuotes ? JSONEncoded(text).description : text
    }

    /// A text in double quotes with escapes.
    private struct JSONEncoded: CustomStringConvertible {
        let description: String
        init(_ text: String) {
            description = (try? JSONEncoder().encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "\"?\""
        }
    }
}

/// What every long-running command can be told about its log.
struct LogOptions: ParsableArguments {
    @Option(help: "How much to log: trace, debug, info, notice, warning, error or critical.")
    var logLevel: String = "info"

    func logger(_ label: String) throws -> Logger {
        guard let level = Logger.Level(rawValue: logLevel) else {
            throw ValidationError("'\(logLevel)' is no log level; use trace, debug, info, notice, warning, error or critical.")
        }
        LoggingSystem.bootstrap { LineLogHandler(logLevel: level, label: $0) }
        return Logger(label: label)
    }
}
