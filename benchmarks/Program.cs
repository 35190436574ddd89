Console.Error.WriteLine("usage: Sway.Benchmarks NAME");
return 2;
