using Sway.Benchmarks;

string[] rest = args.Length > 1 ? args[1..] : [];
switch (args.Length > 0 ? args[0] : "")
{
    case StartupBenchmark.Nothing:
        return 0;
    case "startup":
        return StartupBenchmark.Run(rest);
    case "conversion":
        return ConversionBenchmark.Run(rest);
    case "tokenization":
        return TokenizationBenchmark.Run(rest);
    case "scoring":
        return ScoringBenchmark.Run(rest);
    case "gemm":
        return GemmBenchmark.Run(rest);
    default:
        Console.Error.WriteLine("usage: Sway.Benchmarks gemm [THREADS [row]] | scoring [WINDOWS] | conversion [FOLDER] | startup [SWAY] | tokenization FIXTURES [KIND...]");
        return 2;
}
