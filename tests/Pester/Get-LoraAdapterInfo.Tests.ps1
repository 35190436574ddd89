BeforeAll {
    . (Join-Path $PSScriptRoot common.ps1)
    $work = New-Workspace (Join-Path $TestDrive work) bible, alice, untrained
    $adapters = Join-Path $work adapters
}

Describe 'Get-LoraAdapterInfo' {
    Context 'what it says' {
        It 'describes a PEFT adapter' {
            $info = Get-LoraAdapterInfo (Join-Path $adapters bible)
            $info.Name | Should -BeExactly bible
            $info.Format | Should -BeExactly Peft
            $info.BaseModel | Should -BeExactly '../../base'
            $info.Ranks | Should -Be 8
            $info.Scalings | Should -Be 2
            $info.ModuleCount | Should -Be 28
            $info.LayerCount | Should -Be 4
            $info.DTypes | Should -Be BF16
            $info.Modules | Should -BeNullOrEmpty
        }

        It 'describes an adapter that mlx-lm wrote' {
            $info = Get-LoraAdapterInfo (Join-Path $Samples mlx-adapters psalms)
            $info.Format | Should -BeExactly Mlx
            $info.Ranks | Should -Be 6
            $info.Scalings | Should -Be 5
        }

        It 'gives every rank of an adapter that has several' {
            (Get-LoraAdapterInfo (Join-Path $adapters alice)).Ranks | Should -Be 3, 4, 7
        }

        It 'lists the modules with -Detailed' {
            $modules = (Get-LoraAdapterInfo (Join-Path $adapters bible) -Detailed).Modules
            $modules.Count | Should -Be 28
            @($modules.DeltaNorm | Where-Object { $null -ne $_ }) | Should -HaveCount 0
        }

        It 'gives norms with -Norms' {
            (Get-LoraAdapterInfo (Join-Path $adapters bible) -Norms).Modules.DeltaNorm | Should -HaveCount 28
            (Get-LoraAdapterInfo (Join-Path $adapters untrained) -Norms).Modules.DeltaNorm | Select-Object -Unique | Should -Be 0
        }

        It 'declares its output type' {
            (Get-Command Get-LoraAdapterInfo).OutputType.Name | Should -BeExactly 'Sway.Adapters.LoraAdapterInfo'
        }

        It 'shows a table of at most 120 columns' {
            $text = Get-LoraAdapterInfo (Join-Path $adapters *) | Out-String -Width 120
            $text | Should -Match 'Name +Format +Method +Rank'
            $text | Should -Match 'alice +Peft'
        }
    }

    Context 'paths' {
        It 'takes a wildcard' {
            (Get-LoraAdapterInfo (Join-Path $adapters *)).Name | Should -Be alice, bible, untrained
        }

        It 'takes the weights file itself' {
            (Get-LoraAdapterInfo (Join-Path $adapters bible adapter_model.safetensors)).ModuleCount | Should -Be 28
        }

        It 'takes folders from the pipeline' {
            (Get-ChildItem $adapters -Directory | Get-LoraAdapterInfo).Name | Should -Be alice, bible, untrained
        }

        It 'takes folders as an argument' {
            (Get-LoraAdapterInfo (Get-ChildItem $adapters -Directory)).Name | Should -Be alice, bible, untrained
        }

        It 'takes objects by FullName, and its own output' {
            Get-ChildItem $adapters -Directory | Select-Object FullName | Get-LoraAdapterInfo | Should -HaveCount 3
            (Get-LoraAdapterInfo (Join-Path $adapters bible) | Get-LoraAdapterInfo -Detailed).Modules | Should -HaveCount 28
        }

        It 'takes a row with a Path column' {
            ([pscustomobject] @{ Path = Join-Path $adapters bible } | Get-LoraAdapterInfo).Name | Should -BeExactly bible
        }

        It 'resolves relative paths against the current location, not the process directory' {
            Push-Location $adapters
            try {
                (Get-LoraAdapterInfo ./bible).FullName | Should -BeExactly (Get-Item ./bible).FullName
                (Get-LoraAdapterInfo -LiteralPath bible).Name | Should -BeExactly bible
            }
            finally {
                Pop-Location
            }
        }

        It 'keeps brackets, blanks and other scripts apart: <_>' -ForEach 'a[1]', 'a b', 'Ädäpter', '-lead' {
            $folder = Join-Path $TestDrive brackets
            $null = New-Item -ItemType Directory $folder -Force
            Copy-Item -Recurse (Join-Path $Samples adapters alice) ([IO.Path]::Combine($folder, $_))
            # The decoy: what a[1] matches when it is read as a pattern.
            Copy-Item -Recurse (Join-Path $Samples adapters untrained) (Join-Path $folder a1) -Force
            $item = Get-Item -LiteralPath ([IO.Path]::Combine($folder, $_))
            ($item | Get-LoraAdapterInfo).Name | Should -BeExactly $_
            (Get-LoraAdapterInfo $item).Name | Should -BeExactly $_
            (Get-LoraAdapterInfo -LiteralPath $item.FullName).Name | Should -BeExactly $_
            ([IO.DirectoryInfo] $item.FullName | Get-LoraAdapterInfo).Name | Should -BeExactly $_
            ($item | Get-LoraAdapterInfo | Get-LoraAdapterInfo).Name | Should -BeExactly $_
            Remove-Item $folder -Recurse
        }
    }

    Context 'errors' {
        It 'reports a missing path: <_>' -ForEach 'nowhere', 'no*where', 'no[1]' {
            $result = Get-LoraAdapterInfo (Join-Path $adapters $_) -ErrorVariable problem -ErrorAction SilentlyContinue
            $result | Should -BeNullOrEmpty
            $problem | Should -HaveCount 1
            $problem[0].FullyQualifiedErrorId | Should -BeExactly 'PathNotFound,Sway.PowerShell.Commands.GetLoraAdapterInfoCommand'
            $problem[0].CategoryInfo.Category | Should -Be ObjectNotFound
        }

        It 'reports a missing literal path' {
            Get-LoraAdapterInfo -LiteralPath (Join-Path $adapters nowhere) -ErrorVariable problem -ErrorAction SilentlyContinue
            $problem[0].FullyQualifiedErrorId | Should -Match '^PathNotFound,'
        }

        It 'reports a path of another provider' {
            Get-LoraAdapterInfo env:PATH -ErrorVariable problem -ErrorAction SilentlyContinue
            Get-LoraAdapterInfo -LiteralPath env:PATH -ErrorVariable +problem -ErrorAction SilentlyContinue
            $problem.FullyQualifiedErrorId | Should -Be @(
                'PathNotFileSystem,Sway.PowerShell.Commands.GetLoraAdapterInfoCommand'
                'PathNotFileSystem,Sway.PowerShell.Commands.GetLoraAdapterInfoCommand')
        }

        It 'goes on after a damaged adapter' {
            $damaged = New-Workspace (Join-Path $TestDrive damaged) alice, bible, untrained
            Edit-AdapterTruncated (Join-Path $damaged adapters bible)
            $found = Get-ChildItem (Join-Path $damaged adapters) | Get-LoraAdapterInfo -ErrorVariable problem -ErrorAction SilentlyContinue
            $found.Name | Should -Be alice, untrained
            $problem | Should -HaveCount 1
            $problem[0].FullyQualifiedErrorId | Should -Match '^InvalidAdapter,'
            $problem[0].CategoryInfo.Category | Should -Be InvalidData
            $problem[0].TargetObject | Should -Match 'bible$'
        }

        It 'ends the statement under -ErrorAction Stop' {
            { Get-LoraAdapterInfo (Join-Path $adapters nowhere) -ErrorAction Stop } | Should -Throw -ErrorId 'PathNotFound,*'
        }
    }
}
