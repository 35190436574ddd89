BeforeAll {
    . (Join-Path $PSScriptRoot common.ps1)

    function Get-Leftover([string] $Folder) {
        Get-ChildItem $Folder -Recurse -Force | Where-Object Name -Match '\.tmp|^\.|~'
    }
}

Describe 'ConvertTo-MlxAdapter' {
    BeforeEach {
        $work = New-Workspace (Join-Path $TestDrive ([guid]::NewGuid()))
        $adapters = Join-Path $work adapters
        $out = Join-Path $work out
    }

    Context 'what it writes' {
        It 'writes beside the source without -Destination' {
            $result = ConvertTo-MlxAdapter (Join-Path $adapters bible)
            $result.FullName | Should -BeExactly (Join-Path $adapters bible-mlx)
            (Get-ChildItem $result.FullName).Name | Should -Contain adapters.safetensors
            (Get-ChildItem $result.FullName).Name | Should -Contain adapter_config.json
        }

        It 'reports what it did' {
            $result = ConvertTo-MlxAdapter (Join-Path $adapters bible) $out -Verify
            $result.Rank | Should -Be 8
            $result.Scale | Should -Be 2
            $result.ModuleCount | Should -Be 28
            $result.DTypes | Should -Be BF16
            $result.Baked | Should -BeFalse
            $result.BaseSource | Should -BeExactly AdapterConfig
            $result.VerifiedDifference | Should -Be 0
            $result.SourceBytes | Should -Be (Get-Item (Join-Path $adapters bible adapter_model.safetensors)).Length
        }

        It 'writes an adapter that Get-LoraAdapterInfo reads' {
            $info = ConvertTo-MlxAdapter (Join-Path $adapters bible) $out | Get-LoraAdapterInfo
            $info.Format | Should -BeExactly Mlx
            $info.ModuleCount | Should -Be 28
        }

        It 'gives each of several inputs its folder in -Destination' {
            $results = Get-ChildItem $adapters -Directory | ConvertTo-MlxAdapter -Destination $out
            $results.FullName | Should -Be (Join-Path $out bible), (Join-Path $out untrained)
            ConvertTo-MlxAdapter (Join-Path $adapters *) "$out-2" | Should -HaveCount 2
            (Get-ChildItem "$out-2").Name | Should -Be bible, untrained
        }

        It 'takes what Get-LoraAdapterInfo gives' {
            (Get-LoraAdapterInfo (Join-Path $adapters *) | ConvertTo-MlxAdapter -Destination $out).Source |
                Should -Be (Join-Path $adapters bible), (Join-Path $adapters untrained)
        }

        It 'writes the same bytes again' {
            ConvertTo-MlxAdapter (Join-Path $adapters bible) $out
            ConvertTo-MlxAdapter (Join-Path $adapters bible) "$out-2"
            foreach ($name in 'adapters.safetensors', 'adapter_config.json') {
                (Get-FileHash (Join-Path $out $name)).Hash | Should -BeExactly (Get-FileHash (Join-Path "$out-2" $name)).Hash
            }
        }

        It 'writes numbers the same way in every culture' {
            Copy-Item -Recurse (Join-Path $Samples adapters alice) $adapters
            ConvertTo-MlxAdapter (Join-Path $adapters alice) $out
            $culture = [cultureinfo]::CurrentCulture
            try {
                [cultureinfo]::CurrentCulture = 'de-DE'
                ConvertTo-MlxAdapter (Join-Path $adapters alice) "$out-2"
            }
            finally {
                [cultureinfo]::CurrentCulture = $culture
            }

            (Get-FileHash (Join-Path $out adapter_config.json)).Hash | Should -BeExactly (Get-FileHash (Join-Path "$out-2" adapter_config.json)).Hash
        }

        It 'declares its output type, and shows a table' {
            (Get-Command ConvertTo-MlxAdapter).OutputType.Name | Should -BeExactly 'Sway.Conversion.AdapterConversionResult'
            ConvertTo-MlxAdapter (Join-Path $adapters bible) | Out-String -Width 100 | Should -Match 'From +To +Method +Rank'
        }
    }

    Context 'paths' {
        It 'takes a relative destination from the current location' {
            Push-Location $work
            try {
                (ConvertTo-MlxAdapter ./adapters/bible ./made).FullName | Should -BeExactly (Join-Path $work made)
            }
            finally {
                Pop-Location
            }
        }

        It 'keeps brackets in source and destination' {
            Copy-Item -Recurse (Join-Path $Samples adapters bible) ([IO.Path]::Combine($adapters, 'a[1]'))
            Copy-Item -Recurse (Join-Path $Samples adapters untrained) (Join-Path $adapters a1)
            $result = Get-Item -LiteralPath ([IO.Path]::Combine($adapters, 'a[1]')) | ConvertTo-MlxAdapter -Destination "$out[2]"
            $result.FullName | Should -BeExactly ([IO.Path]::Combine("$out[2]", 'a[1]'))
            $result.ModuleCount | Should -Be 28
        }

        It 'refuses a destination of another provider for the whole command' {
            { ConvertTo-MlxAdapter (Join-Path $adapters bible) env:out } | Should -Throw -ErrorId 'PathNotFileSystem,*'
        }
    }

    Context '-WhatIf and -Force' {
        It 'writes nothing under -WhatIf' {
            ConvertTo-MlxAdapter (Join-Path $adapters bible) $out -WhatIf | Should -BeNullOrEmpty
            Test-Path $out | Should -BeFalse
            $WhatIfPreference = $true
            ConvertTo-MlxAdapter (Join-Path $adapters bible) $out | Should -BeNullOrEmpty
            Test-Path $out | Should -BeFalse
        }

        It 'leaves an output that exists alone without -Force' {
            $null = New-Item -ItemType Directory $out
            Set-Content (Join-Path $out mine) keep
            ConvertTo-MlxAdapter (Join-Path $adapters bible) $out -ErrorVariable problem -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
            $problem[0].FullyQualifiedErrorId | Should -BeExactly 'OutputExists,Sway.PowerShell.Commands.ConvertToMlxAdapterCommand'
            $problem[0].CategoryInfo.Category | Should -Be ResourceExists
            Get-Content (Join-Path $out mine) | Should -BeExactly keep
        }

        It 'replaces an output with -Force' {
            ConvertTo-MlxAdapter (Join-Path $adapters untrained) $out
            (ConvertTo-MlxAdapter (Join-Path $adapters bible) $out -Force).ModuleCount | Should -Be 28
            (Get-LoraAdapterInfo $out).ModuleCount | Should -Be 28
            Get-Leftover $work | Should -BeNullOrEmpty
        }
    }

    Context 'errors' {
        It 'refuses weights that are not finite, and goes on' {
            Copy-Item -Recurse (Join-Path $Samples adapters broken) $adapters
            $results = Get-ChildItem $adapters | ConvertTo-MlxAdapter -Destination $out -ErrorVariable problem -ErrorAction SilentlyContinue
            (Split-Path -Leaf $results.FullName) | Should -Be bible, untrained
            $problem | Should -HaveCount 1
            $problem[0].FullyQualifiedErrorId | Should -BeExactly 'ConversionRefused,Sway.PowerShell.Commands.ConvertToMlxAdapterCommand'
            $problem[0].Exception.Refusals[0].Category | Should -Be NonFinite
            $problem[0].Exception.Tensors | Should -Match 'layers\.2\.self_attn\.v_proj'
            (Get-ChildItem $out).Name | Should -Be bible, untrained
            Get-Leftover $work | Should -BeNullOrEmpty
        }

        It 'reports a damaged adapter, and goes on' {
            Edit-AdapterTruncated (Join-Path $adapters bible)
            $results = Get-ChildItem $adapters | ConvertTo-MlxAdapter -Destination $out -ErrorVariable problem -ErrorAction SilentlyContinue
            (Split-Path -Leaf $results.FullName) | Should -Be untrained
            $problem[0].FullyQualifiedErrorId | Should -Match '^InvalidAdapter,'
        }

        It 'takes no base model that is not there' {
            { ConvertTo-MlxAdapter (Join-Path $adapters bible) -BaseModel (Join-Path $work nowhere) } | Should -Throw -ErrorId 'FolderNotFound,*'
        }

        It 'takes -BaseModel or -NoBaseLookup, not both' {
            { ConvertTo-MlxAdapter (Join-Path $adapters bible) -BaseModel (Join-Path $work base) -NoBaseLookup } |
                Should -Throw -ErrorId 'ParametersExclude,*'
        }

        It 'stops at the first failure under -ErrorAction Stop' {
            Edit-AdapterTruncated (Join-Path $adapters bible)
            { Get-ChildItem $adapters | ConvertTo-MlxAdapter -Destination $out -ErrorAction Stop } | Should -Throw -ErrorId 'InvalidAdapter,*'
            Test-Path (Join-Path $out untrained) | Should -BeFalse
        }
    }

    Context 'pipelines' {
        It 'lets the script go on after Select-Object -First 1, with one whole output' {
            $reached = $false
            $first = Get-ChildItem $adapters | ConvertTo-MlxAdapter -Destination $out | Select-Object -First 1
            $reached = $true
            $reached | Should -BeTrue
            $first.FullName | Should -BeExactly (Join-Path $out bible)
            (Get-ChildItem $out).Name | Should -Be bible
            Get-Leftover $work | Should -BeNullOrEmpty
        }

        It 'stops soon, and leaves nothing half-written' {
            $shell = [powershell]::Create()
            $null = $shell.AddScript({
                    param($Manifest, $Adapter, $Out)
                    Import-Module $Manifest
                    & { while ($true) { $Adapter } } | ConvertTo-MlxAdapter -Destination $Out -Force
                }).AddArgument($Manifest).AddArgument((Join-Path $adapters bible)).AddArgument($out)
            $null = $shell.BeginInvoke()
            for ($i = 0; $i -lt 200 -and -not (Test-Path (Join-Path $out bible)); $i++) {
                Start-Sleep -Milliseconds 50
            }

            $stopping = $shell.BeginStop($null, $null)
            $stopping.AsyncWaitHandle.WaitOne(5000) | Should -BeTrue
            $shell.InvocationStateInfo.State | Should -Be Stopped
            $shell.Streams.Error | Should -BeNullOrEmpty
            $shell.Dispose()
            Get-Leftover $work | Should -BeNullOrEmpty
        }

        It 'runs in parallel' {
            1..8 | ForEach-Object { Copy-Item -Recurse (Join-Path $Samples adapters untrained) (Join-Path $adapters "copy$_") }
            $results = Get-ChildItem $adapters -Filter copy* | ForEach-Object -ThrottleLimit 4 -Parallel {
                Import-Module $using:Manifest
                $_ | ConvertTo-MlxAdapter -Destination $using:out -Verify
            }
            $results | Should -HaveCount 8
            $results.VerifiedDifference | Select-Object -Unique | Should -Be 0
        }
    }
}
